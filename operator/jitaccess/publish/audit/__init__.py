"""The record leaves the cluster: what is on record and not yet exported, to every sink (docs/adr/0022-the-record-exported.md)."""
