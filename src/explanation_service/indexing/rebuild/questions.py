"""The questions that the quality gate asks: from a file, or the titles of the rule book."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import is_searchable
from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.rebuild.verification import pages
from explanation_service.stores.mongodb import TemplateRepository

# Titles asked at most: at 300 the tolerance of 0.02 is six questions, and both sides take 10 s.
MOST_TITLES = 300
# The same ones whenever the rule book is the same, so that two runs compare.
_SEED = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the ids of the templates that are right answers."""

    text: str
    right: frozenset[str]

    def rank_in(self, template_ids: Iterable[str]) -> int | None:
        """The place of the first right template, from 1; None when there is none."""
        return next((at for at, found in enumerate(template_ids, 1) if found in self.right), None)


def read_questions(path: Path) -> list[Question]:
    """JSON Lines with `question`, `template_id` and, where several are right, `accept`; further
    fields are ignored. Raises RebuildFault naming the line that is none, and OSError."""
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            questions.append(_question(path, number, line))
    if not questions:
        raise RebuildFault(f"{path} holds no question.")
    return questions


def _question(path: Path, number: int, line: str) -> Question:
    try:
        row: dict[str, Any] = json.loads(line)
        text, right = row["question"], [row["template_id"], *row.get("accept", [])]
        if not isinstance(text, str) or not text.strip():
            raise ValueError("question is no text")
        if not all(isinstance(one, str) for one in right):
            raise ValueError("template_id and accept must be ids")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RebuildFault(f"{path}, line {number}: {why}.") from error
    return Question(text, frozenset(right))


async def title_questions(repository: TemplateRepository, patience: Patience) -> list[Question]:
    """Titles as questions, at most MOST_TITLES of them; templates that share one are all right."""
    by_title: dict[str, set[str]] = {}
    async for page in pages(repository, patience):
        for stored in page:
            if stored.template is not None and is_searchable(stored):
                by_title.setdefault(stored.template.title, set()).add(stored.id)
    titles: Sequence[str] = sorted(by_title)
    if len(titles) > MOST_TITLES:
        titles = random.Random(_SEED).sample(titles, MOST_TITLES)
    return [Question(title, frozenset(by_title[title])) for title in titles]
