"""Documents as operations: saved, read, deleted, found."""
