"""A rule applied to the word of the question, from what stands in the rule alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.content.sample import sample_rule_book_path
from explanation_service.explanations.question_words import gapped_word, words_in_question
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.explanations.rule_application import apply_rule
from explanation_service.explanations.sentences import split_sentences

RULES = {
    rule["title"]: rule["body"]
    for rule in map(json.loads, sample_rule_book_path().read_text(encoding="utf-8").splitlines())
}
VOWELS = "Проверяемые безударные гласные в корне"
ROOTS = "Корни -лаг- и -лож-"
PREFIXES = "Приставки пре- и при-"


def applied(title: str, question: str, answer: str | None = None) -> str:
    request = ExplanationRequest(question, correct_answer=answer)
    return apply_rule(request, title, split_sentences(RULES[title]))


@pytest.mark.parametrize(
    ("question", "answer", "filled"),
    [
        ("Вставьте букву: в..дяной", "о", "вОдяной"),
        ("Вставьте букву: в…дяной.", "водяной", "вОдяной"),
        ("Пропуск в слове в_дяной?", "«о»", "вОдяной"),
        ("в*дяной", "О", "вОдяной"),
        ("н(е/и)кто не пришёл", "и", "нИкто"),
        ("дерев..ый", "янн", "деревЯННый"),
        ("в..дяной", None, None),
        ("в..дяной", "воздух", None),
    ],
)
def test_a_gap_is_filled_with_the_right_answer(question, answer, filled):
    word = gapped_word(ExplanationRequest(question, correct_answer=answer))
    assert word is not None and word.filled == filled


@pytest.mark.parametrize(
    "question", ["Почему так пишется...", "Он ушёл... и вернулся", "Что это (см. ниже)?", "2..3"]
)
def test_what_is_no_gap(question):
    assert gapped_word(ExplanationRequest(question)) is None


def test_the_words_of_a_question():
    asked = ExplanationRequest("Почему в слове «водяной» так?", correct_answer="водяной")
    assert words_in_question(asked) == ["водяной"]
    essay = ExplanationRequest("Почему?", correct_answer="потому что так велит правило русского")
    assert words_in_question(essay) == []


def test_an_example_that_looks_like_the_word():
    said = applied(VOWELS, "Почему в слове «водяной» пишется «о»?", "водяной")
    assert said == "Похожий на «водяной» пример из правила: вода — воды."


def test_a_word_that_the_rule_names():
    said = applied(PREFIXES, "Прибывать на вокзал или «пребывать»?", "прибывать")
    assert "Про «прибывать» в правиле сказано: «прибывать на вокзал — пребывать в унынии»." in said
    assert "видно при-, о чём и говорит правило" in said


def test_a_warning_is_quoted_as_a_whole():
    said = applied(VOWELS, "Как пишется?", "посветить")
    assert "вместо «посвятить»" in said


def test_a_gap_without_an_answer_is_found_in_the_rule():
    said = applied(ROOTS, "Вставьте букву: прил..гательное")
    assert said == "Слово с таким пропуском есть в правиле: «прилагательное»."


def test_a_part_of_the_word_from_the_title():
    said = applied(ROOTS, "Вставьте пропущенную букву: предл_жить", "о")
    assert "«предлОжить»" in said and "видно -лож-" in said and "-лаг-" not in said


def test_nothing_is_said_without_a_ground():
    assert applied(VOWELS, "Почему так?") == ""
    assert applied(VOWELS, "Сколько будет 2 + 2?", "4") == ""
    assert applied(VOWELS, "Какой это «океан»?", "океан") == ""


@given(st.text(max_size=200), st.text(max_size=40))
def test_no_question_breaks_it(question, answer):
    for title in (VOWELS, ROOTS):
        assert isinstance(applied(title, question, answer or None), str)
