"""As Kubernetes writes it, both ways: parsing, the objects that we make, the status; pure."""
