from __future__ import annotations

import re
import sys

import pytest

from explanation_service.content import mawo_grammar
from explanation_service.content.mawo_grammar import GrammarMissing, read_mawo_grammar

pytest.importorskip("yaml")


def test_all_rules_are_read_without_importing_the_package() -> None:
    rules = dict(read_mawo_grammar())
    assert len(rules) == 95
    assert "mawo_grammar" not in sys.modules
    assert all(re.fullmatch(r"mawo-[a-z0-9-]+", name) for name in rules)


def test_a_rule_keeps_explanation_and_examples() -> None:
    rule = dict(read_mawo_grammar())["mawo-ne-with-verbs"]
    assert rule.title == "НЕ с глаголами пишется раздельно"
    assert rule.topic == "Орфография" and rule.tags == ("orthography", "particles")
    explanation, right, wrong = rule.body.split("\n\n")
    assert explanation.startswith("НЕ с глаголами всегда раздельно")
    assert right == "Правильно: не знает; не видел; не хочу."
    assert wrong == "Неправильно: незнает; невидел."


def test_every_rule_has_a_russian_topic() -> None:
    assert all(re.fullmatch(r"[А-Яа-яё ]+", rule.topic or "") for _, rule in read_mawo_grammar())


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mawo_grammar, "find_spec", lambda name: None)
    with pytest.raises(GrammarMissing, match="mawo-grammar"):
        list(read_mawo_grammar())
