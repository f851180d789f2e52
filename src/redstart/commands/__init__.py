"""Redis commands as requests with typed replies."""
