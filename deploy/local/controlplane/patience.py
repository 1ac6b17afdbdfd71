"""The one limit of every wait for what is sure to come: it only tells that it never will, so no outcome depends on it."""

PATIENCE = 300.0  # seconds; all takes one or two where nothing else runs, and machines may be ten times as slow, or stand still
