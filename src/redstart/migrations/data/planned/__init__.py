"""What a migration is about: the plan, the planned values of documents, and the places where they stand."""
