"""Classification of values without I/O: conversions, the edits that result, and their counts."""
