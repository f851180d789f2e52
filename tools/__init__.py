"""Programs for those who work on Redstart itself."""
