"""Steps of a migration file that are not changes of single documents: moves of keys, removed models, functions."""
