from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.indexing.chunker import Chunker, normalise_body

words = st.text("абвгдежз", min_size=1, max_size=12)
sentences = st.lists(words, min_size=1, max_size=40).map(lambda w: " ".join(w).capitalize() + ".")
bodies = st.one_of(
    st.lists(sentences, min_size=1, max_size=30).map(" ".join),
    st.text(max_size=400),
    st.text("аб", min_size=200, max_size=900),
)
titles = st.one_of(st.just("Правило"), st.text(max_size=300))


def spans(text: str) -> list[tuple[int, int]]:
    """Tokens of up to four letters, as a subword tokenizer cuts long words."""
    return [match.span() for match in re.finditer(r"\S{1,4}", text)]


def chunker(max_tokens: int = 64) -> Chunker:
    return Chunker(spans, max_tokens, frame_tokens=4)


@given(titles, bodies)
def test_no_text_is_lost(title: str, body: str) -> None:
    body = normalise_body(body)
    covered = set()
    for chunk in chunker().split(title, body):
        assert chunk.text == body[chunk.start : chunk.stop]
        covered |= set(range(chunk.start, chunk.stop))
    assert all(at in covered or letter.isspace() for at, letter in enumerate(body))


@given(titles, bodies)
def test_the_model_reads_each_chunk_whole(title: str, body: str) -> None:
    for chunk in chunker().split(title, normalise_body(body)):
        assert len(spans(chunk.embedded_text)) + 4 <= 64


@given(titles, bodies)
def test_chunks_advance_and_are_found_in_order(title: str, body: str) -> None:
    chunks = chunker().split(title, normalise_body(body))
    assert chunks
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start and before.stop < after.stop


def test_the_title_stands_before_every_chunk() -> None:
    body = " ".join(f"Предложение номер {n} о правиле." for n in range(40))
    chunks = chunker().split("Не с глаголами", body)
    assert len(chunks) > 3
    assert all(chunk.embedded_text.startswith("Не с глаголами\n") for chunk in chunks)


def test_a_short_sentence_is_repeated_at_the_next_border() -> None:
    body = " ".join(f"Раз два три {n}." for n in range(30))
    chunks = chunker().split("т", body)
    for before, after in itertools.pairwise(chunks):
        last = re.findall(r"Раз два три \d+\.", before.text)[-1]
        assert after.text.startswith(last)


def test_borders_are_between_sentences() -> None:
    body = " ".join(f"Слово за словом идёт {n}." for n in range(30))
    for chunk in chunker().split("т", body):
        assert chunk.text.startswith("Слово") and chunk.text.endswith(".")


def test_chunks_are_balanced() -> None:
    body = " ".join(f"Раз два три {n}." for n in range(17))
    sizes = [len(spans(chunk.text)) for chunk in chunker().split("т", body)]
    assert min(sizes) > max(sizes) / 2


@pytest.mark.parametrize("body", ["", "   ", "\n"])
def test_a_template_without_text_is_found_by_its_title(body: str) -> None:
    (chunk,) = chunker().split("Заголовок", normalise_body(body))
    assert chunk.embedded_text == "Заголовок"


def test_a_long_passage_is_never_above_256_tokens_of_a_large_model() -> None:
    body = " ".join(["слово"] * 2000)
    for chunk in Chunker(spans, 8192, frame_tokens=4).split("т", body):
        assert len(spans(chunk.embedded_text)) + 4 <= 256
