"""Chaos: the real system, attacked by faults, random people and wrong clocks, and a judge that shares no code with it."""
