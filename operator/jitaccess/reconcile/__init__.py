"""Make reality agree: read, decide, act, record; the same code for every trigger."""
