"""`om migrate-data`: one module for each family of commands, and one for common parts."""
