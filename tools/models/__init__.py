"""Build tools that make a sentence-transformers directory: converted or staged."""
