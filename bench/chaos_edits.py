"""What editors do in a chaos run, and what is known of it afterwards: the ledger."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.toy_model import LETHAL_POISON, POISON
from explanation_service.content.template import TemplateDraft

# Field of a malformed entry that tells it apart; the worker keeps unknown fields in dead letters.
MARK = "chaos"
_TOPICS = (None, "орфография", "пунктуация", "грамматика")
_EXAMS = (None, "ЕГЭ", "ОГЭ")
_TEXT = """
частица приставка корень суффикс окончание причастие деепричастие наречие союз предлог запятая тире
двоеточие кавычки дефис пишется слитно раздельно после перед шипящих гласной согласной ударением
проверяется словом исключение оборот подлежащее сказуемое дополнение определение
"""
_WORDS = _TEXT.split()
_MOST_SENTENCES = 12


@dataclass
class Ledger:
    """What was acknowledged, by template id; None is a template that was deleted.

    The rule book is the truth that the index is compared with; this is what the rule book itself
    is compared with.
    """

    written: dict[str, TemplateDraft | None] = field(default_factory=dict)
    poison: set[str] = field(default_factory=set)
    """Ids of templates that the model fails at; each is written once and stays."""
    poison_events: set[str] = field(default_factory=set)
    """Events for them that came into the stream past the rule book."""
    malformed: set[str] = field(default_factory=set)
    """Marks of entries that are no events."""
    operations: int = 0

    def is_poison(self, fields: Mapping[str, str]) -> bool:
        """Whether an entry of the stream is expected to become a dead letter."""
        return MARK in fields or fields.get("entity_id") in self.poison


def make_draft(draw: random.Random, revision: int) -> TemplateDraft:
    """A text that says which revision it is, of one to a few passages."""
    sentences = [f"Редакция {revision} этого правила."]
    for _ in range(draw.randrange(_MOST_SENTENCES)):
        words = draw.choices(_WORDS, k=draw.randint(4, 14))
        sentences.append(" ".join(words).capitalize() + ".")
    return TemplateDraft(
        title=f"Правило {draw.choice(_WORDS)}",
        body=" ".join(sentences),
        topic=draw.choice(_TOPICS),
        exam=draw.choice(_EXAMS),
        tags=tuple(draw.sample(_WORDS, draw.randrange(3))),
    )


def relabelled(draw: random.Random, draft: TemplateDraft) -> TemplateDraft:
    """The same text under other labels."""
    labels = {"topic": draw.choice(_TOPICS), "tags": tuple(draw.sample(_WORDS, 2))}
    return draft.model_copy(update=labels)


def poisoned(draw: random.Random, lethal: bool) -> TemplateDraft:
    """A text that the model fails at, or dies of."""
    draft = make_draft(draw, 1)
    word = LETHAL_POISON if lethal else POISON
    return draft.model_copy(update={"body": f"{draft.body} Здесь {word} внутри."})


def malformed_entry(draw: random.Random, mark: str) -> dict[str, str]:
    """The fields of an entry that is no event."""
    whole = {
        "event_id": mark,
        "entity": "template",
        "entity_id": "t-1",
        "op": "upsert",
        "version": "1",
        "occurred_at": "2026-01-01T00:00:00Z",
    }
    kind = draw.randrange(4)
    if kind == 0:
        whole["op"] = "rename"
    elif kind == 1:
        whole["version"] = "first"
    elif kind == 2:
        del whole["entity_id"]
    else:
        whole["entity"] = "pupil"
    return {**whole, MARK: mark}
