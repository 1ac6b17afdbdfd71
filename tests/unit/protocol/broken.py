"""A promise that was broken."""


class Broken(AssertionError):
    """A promise was broken."""
