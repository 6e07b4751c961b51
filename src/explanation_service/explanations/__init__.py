"""Explains an answer from the rule book, in a language model's words or in the rules' own."""
