"""Explanations of exam answers, drawn from the platform's own rule book."""

__version__ = "0.1.0"
