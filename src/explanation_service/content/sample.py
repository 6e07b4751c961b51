"""The rule book that comes with the package."""

from __future__ import annotations

from pathlib import Path


def sample_rule_book_path() -> Path:
    """The JSONL file of the sample rule book, one template a line."""
    return Path(__file__).with_name("data") / "sample_rule_book.jsonl"
