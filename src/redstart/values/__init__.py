"""Python values and what is stored for them, in hashes and in JSON; shared by the mapper and the migrations."""
