"""The command `rebuild-embeddings`: a new collection for the whole rule book, while one serves."""
