"""Just-in-time access for Kubernetes."""

__version__ = "0.1.0"
