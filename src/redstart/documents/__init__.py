"""Documents as operations. Today: reading a stored document through its model."""
