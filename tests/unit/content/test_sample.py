from __future__ import annotations

from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path


def test_the_sample_is_a_valid_rule_book() -> None:
    templates = dict(read_jsonl(sample_rule_book_path()))
    assert len(templates) > 10
    assert all(draft.status == "published" and draft.topic for draft in templates.values())
