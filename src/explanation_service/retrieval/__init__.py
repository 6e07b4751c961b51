"""Finds the passages that bear on a question: lexical lane, query vectors, fused search."""
