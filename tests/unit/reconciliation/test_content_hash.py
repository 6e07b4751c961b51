from __future__ import annotations

import pytest

from explanation_service.content.template import TemplateDraft
from explanation_service.reconciliation import content_hash as module
from explanation_service.reconciliation.content_hash import content_hash, same_text

DRAFT = TemplateDraft(title="Не", body="с глаголами", topic="a", exam="ege", tags=("x", "y"))


def test_the_same_content_has_the_same_hash() -> None:
    assert content_hash(DRAFT, "r1") == content_hash(DRAFT.model_copy(), "r1")


@pytest.mark.parametrize(
    "change",
    [{"title": "Ни"}, {"body": "б"}, {"topic": None}, {"exam": "oge"}, {"tags": ("x",)}],
)
def test_whatever_the_index_shows_is_part_of_it(change: dict[str, object]) -> None:
    assert content_hash(DRAFT.model_copy(update=change), "r1") != content_hash(DRAFT, "r1")


def test_another_model_is_other_content() -> None:
    assert content_hash(DRAFT, "r2") != content_hash(DRAFT, "r1")


def test_newer_code_makes_old_points_count_as_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_hash(DRAFT, "r1")
    monkeypatch.setattr(module, "CHUNKER_VERSION", 99)
    assert content_hash(DRAFT, "r1") != before


def test_fields_do_not_run_into_each_other() -> None:
    one = TemplateDraft(title="аб", body="в")
    other = TemplateDraft(title="а", body="бв")
    assert content_hash(one, "r") != content_hash(other, "r")


@pytest.mark.parametrize("label", [{"topic": None}, {"exam": "oge"}, {"tags": ("x",)}])
def test_labels_are_no_text(label: dict[str, object]) -> None:
    before = content_hash(DRAFT, "r1")
    assert same_text(before, content_hash(DRAFT.model_copy(update=label), "r1"))
    assert not same_text(before, content_hash(DRAFT, "r2"))
    assert not same_text(before, content_hash(DRAFT.model_copy(update={"body": "б"}), "r1"))
    assert len(before) == 32
