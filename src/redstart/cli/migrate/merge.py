"""`om migrate merge`: join branches of migration files."""
