"""Tells whether what a template says is already in the index, without comparing texts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from explanation_service.content.template import TemplateDraft
from explanation_service.retrieval.lexical import LEXICAL_VERSION

# Hexadecimal digits: first of what is embedded, then of the labels beside it.
_EMBEDDED, _LABELS = 24, 8
# Raised with every change in indexing/chunker.py that alters the passages of some text. It stands
# here because the command line compares hashes, too, and must not need what the chunker imports.
CHUNKER_VERSION = 1


def content_hash(template: TemplateDraft, model_revision: str) -> str:
    """32 hexadecimal digits over all that a template's points are made of.

    The versions of the code and of the model are part of it: points that older code made count as
    changed. The template's own version and its time of change do not.
    """
    embedded = [model_revision, CHUNKER_VERSION, LEXICAL_VERSION, template.title, template.body]
    labels = [template.topic, template.exam, list(template.tags)]
    return _digest(embedded)[:_EMBEDDED] + _digest(labels)[:_LABELS]


def same_text(one: str, other: str) -> bool:
    """Whether two contents differ at most in their labels: topic, exam, tags."""
    return one[:_EMBEDDED] == other[:_EMBEDDED]


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
