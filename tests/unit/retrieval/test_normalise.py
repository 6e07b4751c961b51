from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explanation_service.retrieval.normalise import MAX_QUERY_CHARACTERS, normalise_query


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_query(text)
    assert normalise_query(once) == once


def test_spaces_and_unicode_forms_do_not_matter_but_the_case_does() -> None:
    assert normalise_query("  не \n с\tглаголами ") == "не с глаголами"
    assert normalise_query("и\u0306") == "й"
    assert normalise_query("Роман") != normalise_query("роман")


def test_endless_queries_are_cut() -> None:
    assert len(normalise_query("а" * 10_000)) == MAX_QUERY_CHARACTERS
