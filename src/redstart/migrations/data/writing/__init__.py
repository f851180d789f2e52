"""To the server: edits in one script, which compares, journals and writes, until nobody is in the way."""
