"""Passes that only read: the census before a run, and what statistics say of everything or of a sample."""
