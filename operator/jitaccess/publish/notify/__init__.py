"""Telling people and machines, over channels that the administrator has set up; apart from all that grants and ends."""
