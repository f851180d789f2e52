"""What is kept on the server: how far a run is, the record between runs, what failed, and the undo log."""
