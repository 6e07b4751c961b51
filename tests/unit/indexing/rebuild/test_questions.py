from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from explanation_service.content.template import Template
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.rebuild.questions import (
    MOST_TITLES,
    Question,
    read_questions,
    title_questions,
)
from explanation_service.stores.mongodb import StoredTemplate


def test_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(
        '{"question": "где тире?", "template_id": "a", "accept": ["b"], "kind": "typo"}\n\n'
        '{"question": "где запятая?", "template_id": "c"}\n'
    )
    first, second = read_questions(file)
    assert first == Question("где тире?", frozenset({"a", "b"}))
    assert second.rank_in(["a", "c"]) == 2 and second.rank_in(["a"]) is None


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"question": "x"}', '{"question": " ", "template_id": "a"}',
     '{"question": "x", "template_id": 1}', '{"question": 1, "template_id": "a"}'],
)  # fmt: skip
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "x", "template_id": "a"}\n' + line)
    with pytest.raises(RebuildFault, match=r"line 2: \S"):
        read_questions(file)


def test_an_empty_file_is_no_yardstick(tmp_path: Path) -> None:
    (tmp_path / "q").write_text("\n")
    with pytest.raises(RebuildFault, match="no question"):
        read_questions(tmp_path / "q")


class Repository:
    def __init__(self, titles: dict[str, str], status: str = "published") -> None:
        now = datetime.now(UTC)
        self.stored = [
            StoredTemplate(
                one, Template(id=one, title=title, body="т", status=status, version=1,
                              updated_at=now), 1, False,
            )
            for one, title in sorted(titles.items())
        ]  # fmt: skip

    async def stored_page(self, after: str, limit: int) -> list[StoredTemplate]:
        return [one for one in self.stored if one.id > after][:limit]


async def test_titles_that_several_share_are_one_question() -> None:
    repository: Any = Repository({"a": "Тире", "b": "Запятая", "c": "Тире"})
    found = await title_questions(repository, Patience())
    assert found == [Question("Запятая", frozenset("b")), Question("Тире", frozenset("ac"))]
    drafts: Any = Repository({"a": "Тире"}, "draft")
    assert await title_questions(drafts, Patience()) == []


async def test_of_many_titles_the_same_ones_are_taken() -> None:
    repository: Any = Repository({f"t{n:04d}": f"Правило {n}" for n in range(700)})
    first = await title_questions(repository, Patience())
    assert len(first) == MOST_TITLES and first == await title_questions(repository, Patience())
