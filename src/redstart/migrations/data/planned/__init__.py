"""The plan, the planned values of documents, and their locations."""
