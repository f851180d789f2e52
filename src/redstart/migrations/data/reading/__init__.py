"""From the server: a page of documents with their planned values, and the pages of a whole keyspace."""
