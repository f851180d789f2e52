"""Operations on documents: save, read, delete, query."""
