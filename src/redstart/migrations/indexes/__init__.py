"""Index migrations: build a new index, check its coverage, move the alias; keep the old definition for a rollback."""
