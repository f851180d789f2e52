"""Rewriting the values of documents: plan, census, convert, apply, journal, verify, rollback."""
