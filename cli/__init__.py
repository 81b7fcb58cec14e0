"""The `upcall` command."""
