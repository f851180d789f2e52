"""Python values and their stored values, in hashes and in JSON; shared by mapper and migrations."""
