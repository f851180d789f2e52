"""Verification: classify every value again, compare the undo log with the data, load documents through models."""
