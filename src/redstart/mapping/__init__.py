"""Models without I/O: declarations, the registry, and the paths of values in documents."""
