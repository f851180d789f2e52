"""Rollback: replay the undo log backwards, then rewrite newer values as text."""
