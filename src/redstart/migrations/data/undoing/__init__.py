"""The way back: the journal from its end, then what is in the new form and not in the census."""
