"""What surrounds every run: what it is given and tells, what it asks for first, its passes, where it stands."""
