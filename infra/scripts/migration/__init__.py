"""From the monolith to the split services and back, on an operator's machine: the standard library
alone, Python 3.9 or later (docs/migration.md)."""
