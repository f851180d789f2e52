"""Changing stored data and indexes in place, resumably and undoably."""
