"""Operations of migration files: the models before and after, and the change of each document. Pure."""
