"""The questions of the retrieval bench, written by hand apart from the text of the rules.

There are two sets: constants of the search were tuned on the first one; the second came later and
tells whether they hold for questions that nobody has looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KINDS = ("paraphrase", "typo", "example")
_DATA = Path(__file__).with_name("data")
QUESTION_SETS = (
    _DATA / "retrieval_questions.jsonl",
    _DATA / "retrieval_questions_second.jsonl",
)

_FIELDS = {"question", "template_id", "accept", "kind"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a pupil or teacher types, and the templates that answer it.

    `number` is the line in the file, from 1; `accept` are other ids that are equally right;
    `source` is the name of the file without its ending.
    """

    number: int
    text: str
    template_id: str
    accept: tuple[str, ...]
    kind: str
    source: str = ""

    @property
    def half(self) -> str:
        """ "odd" or "even": constants are tuned on the odd half, and the even one tells whether
        that was for these questions only."""
        return "odd" if self.number % 2 else "even"

    def rank_in(self, template_ids: Iterable[str]) -> int | None:
        """The place of the first right template, from 1; None when there is none."""
        right = {self.template_id, *self.accept}
        return next((at for at, found in enumerate(template_ids, start=1) if found in right), None)


def read_questions(path: Path) -> list[Question]:
    """The questions of a JSONL file. Raises ValueError naming a line that is none, and OSError."""
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            if row.keys() != _FIELDS:
                raise ValueError(f"the fields must be {', '.join(sorted(_FIELDS))}")
            if row["kind"] not in KINDS:
                raise ValueError(f"kind must be one of {', '.join(KINDS)}")
            if not row["question"].strip():
                raise ValueError("the question is empty")
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        questions.append(
            Question(
                number,
                row["question"],
                row["template_id"],
                tuple(row["accept"]),
                row["kind"],
                path.stem,
            )
        )
    return questions
