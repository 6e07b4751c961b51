"""The explanation that needs no language model."""

from __future__ import annotations

import json

import pytest

from explanation_service.content.sample import sample_rule_book_path
from explanation_service.explanations.composer import NOTHING_FOUND, ORIGIN, compose
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.stores.records import Passage


def passage(title: str, text: str, template_id: str = "t") -> Passage:
    return Passage(template_id, 0, 1, title, text, None, None, (), 0.5)


VOWELS = passage(
    "Безударные гласные в корне.",
    "Безударные гласные в корне\n"
    "Букву в корне проверяют ударением. Проверочное слово подбирают по смыслу.\n"
    "Например: вода — воды, трава — травы.\n"
    "Типичная ошибка — проверять другим корнем.",
)
ASK = ExplanationRequest("Какая буква?", student_answer="вада", correct_answer="вода")


def test_all_parts_in_their_order():
    text = compose(ASK, [VOWELS, passage("Чередование", "Другое правило.", "u")])
    assert text.split("\n\n") == [
        "К этому вопросу ближе всего правило «Безударные гласные в корне».",
        "Букву в корне проверяют ударением. Проверочное слово подбирают по смыслу.",
        "Дан ответ «вада», а правильный ответ — «вода». "
        "Различие в написании: вместо «а» нужно «о».",
        "Про «вода» в правиле сказано: «вода — воды».",
        "Примеры из правила:\n— вода — воды, трава — травы.",
        "Типичная ошибка — проверять другим корнем.",
        "Близкие правила: «Чередование».",
        ORIGIN,
    ]


@pytest.mark.parametrize(
    ("given", "right", "said"),
    [
        ("вода", "Вода", "совпадает с правильным"),
        ("вода", None, "Дан ответ «вода»"),
        (None, "вода", "Правильный ответ — «вода»"),
    ],
)
def test_what_is_known_about_the_answer(given, right, said):
    text = compose(ExplanationRequest("?", student_answer=given, correct_answer=right), [VOWELS])
    assert said in text


def test_a_rule_that_the_caller_named_is_said_to_be_the_one():
    text = compose(ExplanationRequest("?", template_id="t"), [VOWELS])
    assert text.startswith("К этому вопросу относится правило")


def test_lines_without_a_full_stop_become_sentences():
    text = compose(ASK, [passage("Т", "Не пишут раздельно\nНи усиливает отрицание")])
    assert "Не пишут раздельно. Ни усиливает отрицание." in text


def test_without_answers_nothing_is_said_about_them():
    assert "ответ" not in compose(ExplanationRequest("?"), [VOWELS]).lower()


def test_a_book_without_a_rule_for_it():
    text = compose(ASK, [])
    assert text.startswith(NOTHING_FOUND)
    assert text.endswith(ORIGIN)


def test_a_long_answer_is_shortened():
    text = compose(ExplanationRequest("?", student_answer="очень " * 200), [VOWELS])
    assert len(text) < 900


def test_marks_of_markdown_are_left_out():
    text = compose(ASK, [passage("Т", "## Правило\n**Пишите** слитно.\n- Например: «нехотя».")])
    assert "#" not in text and "**" not in text


def test_the_words_in_which_pupils_ask_are_for_the_search_alone():
    rule = passage(
        "Т",
        "Пишите слитно.\n\nНапример: «нехотя».\n\n"
        "О чём спрашивают: слитно ли, например «нехотя».\n\nИсключений нет.",
    )
    text = compose(ASK, [rule])
    assert "О чём спрашивают" not in text and "слитно ли" not in text
    assert "Пишите слитно. Исключений нет." in text
    assert "— «нехотя»." in text


def test_a_passage_of_nothing_but_such_words_is_still_shown():
    assert "слитно ли" in compose(ASK, [passage("Т", "О чём спрашивают: слитно ли.")])


@pytest.mark.parametrize("text", ["Например: вода.", "Примеры:", "—", "а" * 5000])
def test_odd_passages_still_make_an_explanation(text):
    assert compose(ASK, [passage("Правило", text)]).endswith(ORIGIN)


def test_every_rule_of_the_sample_book_is_stated():
    for line in sample_rule_book_path().read_text(encoding="utf-8").splitlines():
        rule = json.loads(line)
        parts = compose(ASK, [passage(rule["title"], rule["body"], rule["id"])]).split("\n\n")
        assert rule["title"].rstrip(".") in parts[0]
        assert 30 <= len(parts[1]) <= 600
        assert not any("О чём спрашивают" in part for part in parts)
        assert parts[-1] == ORIGIN
