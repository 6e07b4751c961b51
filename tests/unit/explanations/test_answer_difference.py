"""What tells a pupil's answer from the right one."""

from __future__ import annotations

import pytest

from explanation_service.explanations.answer_difference import describe_difference, same_answer


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("Вода", "вода"),
        (" вода. ", "вода"),
        ("ещё", "еще"),
        ("в  лес", "в лес"),
        ("звонит", "звонИт"),
    ],
)
def test_the_same(given, right):
    assert same_answer(given, right)
    assert describe_difference(given, right) is None


@pytest.mark.parametrize(
    ("given", "right", "said"),
    [
        ("вадяной", "водяной", "вместо «а» нужно «о»"),
        ("звОнит", "звонИт", "Различие в ударении: правильно «звонИт»"),
        ("расчитать", "рассчитать", "пропущено «с»"),
        ("рассчёт", "расчёт", "лишнее «с»"),
        ("не был", "небыл", "слитно"),
        ("нехочу", "не хочу", "раздельно"),
        ("кто то", "кто-то", "через дефис"),
        ("Он знал что это так", "Он знал, что это так", "знаки препинания"),
    ],
)
def test_what_is_said(given, right, said):
    assert said in describe_difference(given, right)


@pytest.mark.parametrize(
    ("given", "right"),
    [("дом", "кошка"), ("134", "135"), ("в лесу темно", "на улице светло"), ("x=1", "x=2")],
)
def test_nothing_is_said_without_being_sure(given, right):
    assert describe_difference(given, right) is None
