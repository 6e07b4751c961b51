"""The rule book against the index: what differs, and the events that put it right."""
