"""The `om` command."""
