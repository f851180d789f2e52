"""A scratch server process for the demo, the tests and development."""
