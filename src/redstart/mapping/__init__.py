"""Models without I/O: declarations, the registry, and where in a document which values live."""
