"""Indexes as data, and queries as text, without models and without I/O."""
