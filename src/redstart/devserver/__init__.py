"""A development server: a local process for the demo, tests and development."""
