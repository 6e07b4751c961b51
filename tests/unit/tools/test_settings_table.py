"""The settings, .env.example and the table in the documentation say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from explanation_service.settings import Settings
from tools.docs.settings_table import BEGIN, END, EXAMPLE, PAGE, rewritten, table, variables

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    example = (ROOT / EXAMPLE).read_text(encoding="utf-8")
    assert page == rewritten(page, example), "./bazelw run //tools/docs:settings_table"


def test_every_setting_is_in_it_with_what_it_means() -> None:
    found = variables((ROOT / EXAMPLE).read_text(encoding="utf-8"))
    assert {one.name.lower() for one in found} == set(Settings.model_fields)
    assert [one.name for one in found if not one.meaning] == []


def test_a_row_says_all_of_a_setting() -> None:
    example = (
        "# The first\n# of all\nAPI_PORT=81\n\n# Not of this one\n\n# Whether | or\nAPI_KEYS=\n"
    )
    lines = table(example).splitlines()
    assert lines[2:] == [
        "| `API_PORT` | `81` | The first of all | a whole number from 1 to 65535 |",
        "| `API_KEYS` |  | Whether \\| or | keys with commas between them |",
    ]


def test_what_is_around_the_table_stays() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = rewritten(page, "# x\nAPI_PORT=81\n")
    assert new.startswith(f"before\n{BEGIN}\n") and new.endswith(f"{END}\nafter\n")
    assert "old" not in new and rewritten(new, "# x\nAPI_PORT=81\n") == new


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        rewritten("text", "")
