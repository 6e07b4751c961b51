"""The embedding worker: content events in, an index equal to the rule book out."""
