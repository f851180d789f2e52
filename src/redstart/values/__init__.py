"""Python values and what is stored for them, in hashes and in JSON; shared by mapper and migrations."""
