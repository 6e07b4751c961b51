from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.retrieval.highlights import Highlighter


def marked(query: str, text: str) -> list[str]:
    """The words that are shown."""
    return [text[start:end] for start, end in Highlighter(query).find(text)]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("безударная гласная", "Безударные гласные в корне.", ["Безударные", "гласные"]),
        ("ЁЖ", "Еж и ёж, но не ежевика.", ["Еж", "ёж"]),
        ("зелёный", "Зеленый и зелёного", ["Зеленый", "зелёного"]),
        ("каровы", "Корова пасётся.", ["Корова"]),
        ("безудорная", "безударная", ["безударная"]),
        ("корень", "В корне слова, корень, корневой", ["корне", "корень"]),
        ("не с глаголами", "Не с глаголами пишется раздельно.", ["Не", "глаголами"]),
        ("гласные", "согласные", []),
        ("проверяемые", "непроверяемые", []),
        ("стол", "стул", []),
        ("буква-разделитель", "Разделитель и буква", ["Разделитель", "буква"]),
        ("разделитель", "Буква-разделитель", ["Буква-разделитель"]),
        ("вода", "вода\u0301, во\u0301ды", ["вода\u0301", "во\u0301ды"]),
        ("Word 2024", "В Word с 2024 года", ["Word", "2024"]),
        ("???", "Знак вопроса?", []),
        ("и в с", "и в с", []),
        ("тире", "", []),
    ],
)
def test_what_is_shown(query: str, text: str, expected: list[str]) -> None:
    assert marked(query, text) == expected


def test_letters_of_two_characters_count_as_they_stand() -> None:
    text = unicodedata.normalize("NFD", "Русский ёж — йод")
    assert [unicodedata.normalize("NFC", word) for word in marked("русский ежи йод", text)] == [
        "Русский",
        "ёж",
        "йод",
    ]


def test_characters_are_code_points() -> None:
    assert Highlighter("тире").find("🙂🙂 тире") == [(3, 7)]


ALPHABET = "абёйЖz9 -.,\u0301\u0306🙂\n"


@given(st.text(ALPHABET, max_size=40), st.text(ALPHABET, max_size=80))
def test_ranges_lie_in_the_text_in_order_and_apart(query: str, text: str) -> None:
    before = 0
    for start, end in Highlighter(query).find(text):
        assert before <= start < end <= len(text)
        assert text[start].isalnum()
        before = end


@given(st.text(ALPHABET, min_size=1, max_size=20))
def test_a_text_finds_its_own_words(text: str) -> None:
    words = [word for word in text.split() if len(word) > 2 and word.isalpha()]
    assert len(marked(text, text)) >= len(words) - text.count("\u0301") - text.count("\u0306")


def test_it_costs_little_beside_the_search() -> None:
    texts = [draft.body for _, draft in read_jsonl(sample_rule_book_path())][:50]
    query = "Как правильна писать безудорные гласные в корне слова после шипящих и ц"
    Highlighter(query).find(" ".join(texts))
    started = time.process_time()
    found = Highlighter(query)
    assert sum(len(found.find(text)) for text in texts) > 20
    seconds = time.process_time() - started
    # 50 hits, the most that can be asked for; measured 9 ms.
    assert seconds < 0.2
    print(f"{seconds * 1000:.1f} ms for 50 passages")
