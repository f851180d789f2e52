"""`om migrate`: indexes."""
