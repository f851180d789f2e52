"""Redis commands as requests with typed replies: the only place that spells command names."""
