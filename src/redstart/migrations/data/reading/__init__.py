"""Reading pages of documents with their planned values, and the pages of a keyspace."""
