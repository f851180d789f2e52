"""A run, from its lease to its end, and the conversion of one page of documents."""
