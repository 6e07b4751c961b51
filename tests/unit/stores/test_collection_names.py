from __future__ import annotations

import pytest

from explanation_service.stores.collection_names import collection_for, is_of_model, revision_of


@pytest.mark.parametrize(
    ("revision", "collection"),
    [
        ("ab12", "templates_ab12"),
        ("org/model@1.0", "templates_org-model-1-0"),
        ("e5_small", "templates_e5-small"),
    ],
)
def test_the_collection_bears_the_revision(revision: str, collection: str) -> None:
    assert collection_for("templates", revision) == collection


@pytest.mark.parametrize(
    ("alias", "collection", "revision"),
    [
        ("templates", "templates_ab12", "ab12"),
        ("templates", "templates_ab12_7", "ab12"),
        ("templates", "templates_e5-small-1_12", "e5-small-1"),
        ("templates", "templates_1234", "1234"),
        ("my_rules_2", "my_rules_2_ab12_3", "ab12"),
        ("templates", "templates_", None),
        ("templates", "templates", None),
        ("templates", "other_ab12", None),
        ("templates", "templatesab12", None),
    ],
)
def test_the_revision_is_read_back(alias: str, collection: str, revision: str | None) -> None:
    assert revision_of(alias, collection) == revision


@pytest.mark.parametrize("alias", ["templates", "a_b", "templates_x"])
def test_there_and_back(alias: str) -> None:
    assert revision_of(alias, collection_for(alias, "3e1acebc7945ef2e")) == "3e1acebc7945ef2e"


def test_the_name_tells_the_model_and_the_generation() -> None:
    assert collection_for("t", "3e1a") == "t_3e1a"
    assert collection_for("t", "3e1a", 2) == "t_3e1a_2"
    assert collection_for("t", "v1.0_b") == "t_v1-0-b", "an underscore ends the revision"
    for name in ("t_3e1a", "t_3e1a_2"):
        assert revision_of("t", name) == "3e1a"
        assert is_of_model("t", name, "3e1a") and not is_of_model("t", name, "3e1")
    assert is_of_model("t", "t_v1-0-b_3", "v1.0_b")


def test_names_of_another_kind() -> None:
    assert revision_of("t", "other") is None
    assert revision_of("t", "tt_3e1a") is None
    assert not is_of_model("t", "other", "3e1a")
