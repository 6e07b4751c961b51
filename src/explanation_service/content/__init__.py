"""The rule book: its templates, the events of their changes, and how templates come in."""
