from __future__ import annotations

from explanation_service.stores.collection_names import collection_for, is_of_model, revision_of


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
