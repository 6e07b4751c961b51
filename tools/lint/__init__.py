"""Linters and formatters beside those that are modules."""
