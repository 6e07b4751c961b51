from __future__ import annotations

from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path


def test_the_sample_is_a_valid_rule_book() -> None:
    templates = dict(read_jsonl(sample_rule_book_path()))
    assert len(templates) > 10
    assert all(draft.status == "published" and draft.topic for draft in templates.values())


def test_every_rule_ends_with_the_words_in_which_it_is_asked_for() -> None:
    for key, draft in read_jsonl(sample_rule_book_path()):
        *_, brief, asked = draft.body.split("\n\n")
        # One line each: what composes explanations leaves the second out by its first words, and
        # a passage that is cut before it still begins with the rule in brief.
        assert brief.startswith("Коротко: ") and "\n" not in brief, key
        assert asked.startswith("О чём спрашивают: ") and "\n" not in asked, key
        assert draft.body.count("О чём спрашивают:") == 1, key
        assert len(draft.body) <= 2800, key
