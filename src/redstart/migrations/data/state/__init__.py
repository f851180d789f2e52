"""State on the server: checkpoint, record, failures, and undo log."""
