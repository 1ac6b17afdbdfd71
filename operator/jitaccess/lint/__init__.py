"""Policies checked offline, before they are applied: what the API server and the operator would say, and what people overlook."""
