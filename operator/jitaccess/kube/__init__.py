"""The API server, in the domain's words: the one adapter, how to reach it, and whether jitaccess is installed on it."""
