"""Read-only passes: the initial scan of a run, and statistics of all documents or of a sample."""
