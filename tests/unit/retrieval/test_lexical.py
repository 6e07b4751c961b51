from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.retrieval.lexical import encode_document, encode_query, stem, words_of
from explanation_service.stores.records import SparseVector

RULES = {
    "ne-verbs": ("НЕ с глаголами", "Частица не с глаголами пишется раздельно: не знаю, не был."),
    "tsya": ("Тся и ться в глаголах", "Мягкий знак пишется в инфинитиве: что делать? учиться."),
    "n-nn": ("Одна и две н в причастиях", "В полных причастиях пишется нн: решённая задача."),
    "dash": ("Тире между подлежащим и сказуемым", "Тире ставится, если связка опущена."),
}


def dot(one: SparseVector, other: SparseVector) -> float:
    weights = dict(zip(one.indices, one.values, strict=True))
    pairs = zip(other.indices, other.values, strict=True)
    return sum(weights.get(index, 0.0) * value for index, value in pairs)


def best(question: str) -> str:
    query = encode_query(question)
    return max(RULES, key=lambda name: dot(query, encode_document(*RULES[name])))


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("как писать не с глаголом", "ne-verbs"),
        ("две буквы н в причастии", "n-nn"),
        ("сказуемые и подлежащие через тире", "dash"),
        ("частицы с гглаголами раздльно", "ne-verbs"),
        ("мягкй знк в инфинитве", "tsya"),
        ("пречастия с двумя н", "n-nn"),
        ("подлижащее и сказуимое", "dash"),
    ],
)
def test_inflected_and_misspelt_questions_find_their_rule(question: str, rule: str) -> None:
    assert best(question) == rule


def test_words() -> None:
    assert words_of("Ёлка, ТЁМНО-синий; по-русски 2-й e5!") == [
        "елка",
        "темно-синий",
        "по-русски",
        "2-й",
        "e5",
    ]
    assert words_of("за\u0301мок") == ["замок"]
    assert words_of("??? —") == []


def test_inflections_share_a_stem() -> None:
    assert len({stem(word) for word in ("глагол", "глагола", "глаголами", "глаголы")}) == 1


def test_parts_of_a_compound_are_found() -> None:
    document = encode_document("т", "буква-разделитель")
    assert dot(encode_query("разделителя"), document) > 0
    assert dot(encode_query("буква-разделитель"), document) > dot(
        encode_query("разделитель"), document
    )


@given(st.text(max_size=200), st.text(max_size=400))
def test_vectors_are_what_qdrant_takes(title: str, body: str) -> None:
    for vector in (encode_document(title, body), encode_query(body)):
        assert list(vector.indices) == sorted(set(vector.indices))
        assert len(vector.indices) == len(vector.values)
        assert all(0 <= index < 2**32 for index in vector.indices)
        assert all(value > 0 for value in vector.values)


def test_the_title_counts_more_and_repetition_saturates() -> None:
    query = encode_query("тире")
    assert dot(query, encode_document("тире", "связка")) > dot(
        query, encode_document("связка", "тире")
    )
    once, ten = (dot(query, encode_document("т", "тире " * times)) for times in (1, 10))
    assert once < ten < 3 * once


def test_a_longer_passage_with_the_same_word_weighs_less() -> None:
    query = encode_query("тире")
    filler = " ".join(f"слово{n}" for n in range(150))
    assert dot(query, encode_document("т", "тире")) > dot(
        query, encode_document("т", f"тире {filler}")
    )


def test_vectors_are_the_same_in_every_process() -> None:
    script = (
        "from explanation_service.retrieval.lexical import encode_query;"
        "print(encode_query('не с глаголами').indices)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {f"{encode_query('не с глаголами').indices}\n"}
