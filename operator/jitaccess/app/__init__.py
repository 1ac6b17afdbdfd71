"""Start, watch, lead, stop: everything put together, and the command `jitaccess`."""
