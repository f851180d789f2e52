"""Writing edits with one script, which compares, writes the undo log and the values, with retries on conflict."""
