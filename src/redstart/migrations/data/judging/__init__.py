"""What becomes of a value, without I/O: verdicts, the edits that follow from them, and their counts."""
