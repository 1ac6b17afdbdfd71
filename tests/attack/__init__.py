"""Attempts on the installed system by people who want in; see table.py."""
