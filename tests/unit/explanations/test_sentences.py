"""Sentences of Russian text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.explanations.sentences import (
    first_sentences,
    split_pieces,
    split_sentences,
)

TEXTS = st.text(alphabet="аБв. !?…\n«»()—-1", max_size=80)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Раз. Два! Три?", ["Раз.", "Два!", "Три?"]),
        ("Он сказал: «Да.» Потом ушёл.", ["Он сказал: «Да.»", "Потом ушёл."]),
        ("Знаки, т. е. запятые. Другие.", ["Знаки, т. е. запятые.", "Другие."]),
        ("См. Правило 5. Там всё.", ["См. Правило 5.", "Там всё."]),
        ("Писал А. С. Пушкин. Давно.", ["Писал А. С. Пушкин.", "Давно."]),
        ("Строка\nВторая", ["Строка", "Вторая"]),
        ("Пишут «нн». — Почему? Так надо.", ["Пишут «нн».", "— Почему?", "Так надо."]),
        ("Число 3.14 велико. Да.", ["Число 3.14 велико.", "Да."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_split(text, sentences):
    assert split_sentences(text) == sentences


def test_first_sentences_end_where_a_sentence_ends():
    text = "Первое правило. Второе правило. Третье."
    assert first_sentences(text, 32) == "Первое правило. Второе правило."
    assert first_sentences(text, 100) == text


def test_a_sentence_that_is_too_long_is_cut_at_a_word():
    assert (
        first_sentences("Очень длинное предложение, без конца", 30) == "Очень длинное предложение…"
    )


@given(TEXTS)
def test_splitting_loses_nothing_but_white_space(text):
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@given(TEXTS, st.integers(2, 40))
def test_first_sentences_keep_the_limit(text, limit):
    assert len(first_sentences(text, limit)) <= limit


@given(TEXTS)
def test_pieces_are_the_text_again(text):
    assert "".join(split_pieces(text)) == text


@pytest.mark.parametrize("text", ["." * 50_000 + " " * 50_000, "\n" * 100_000, ". " * 50_000])
def test_time_is_linear(text):
    started = time.process_time()
    split_sentences(text)
    assert time.process_time() - started < 2
