"""`om migrate-data`: one file for each family of commands, one for what they share."""
