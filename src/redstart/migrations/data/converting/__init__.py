"""The way there: a run from its lease to its end, and the conversion of a page of documents."""
