"""Which language model the settings ask for."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from explanation_service.explanations.language_model import (
    Deadlines,
    DisabledLanguageModel,
    LanguageModelUnavailable,
    Prompt,
)
from explanation_service.explanations.yandexgpt.assembly import create_language_model, parameters_of
from explanation_service.explanations.yandexgpt.client import YandexGpt
from explanation_service.settings import load_settings
from explanation_service.stores.generation_slots import GenerationSlots
from explanation_service.stores.redis import connect_redis

KEY = {"yandexgpt_api_key": "very-secret", "yandexgpt_folder_id": "f"}


def slots(settings) -> GenerationSlots:
    return GenerationSlots(connect_redis(settings), "f", 8)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"yandexgpt_api_key": "k"}, False),
        (KEY, True),
        ({"yandexgpt_iam_token": "t1.x", "yandexgpt_folder_id": "f"}, True),
        ({**KEY, "yandexgpt_protocol": "openai"}, True),
        ({**KEY, "explanation_yandexgpt_enabled": False}, False),
    ],
)
async def test_expected_where_it_was_asked_for(given, expected):
    settings = load_settings(**given)
    with capture_logs() as lines:
        model = create_language_model(settings, slots(settings))
    assert model.expected is expected
    assert isinstance(model, YandexGpt if expected else DisabledLanguageModel)
    assert len(lines) == 1 and "very-secret" not in str(lines)
    await model.close()


async def test_one_that_is_off_says_nothing():
    model = DisabledLanguageModel()
    with pytest.raises(LanguageModelUnavailable):
        await model.complete(Prompt("", ""), Deadlines(0, 0))
    with pytest.raises(LanguageModelUnavailable):
        await model.stream(Prompt("", ""), Deadlines(0, 0), print)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("yandexgpt-lite", "gpt://f/yandexgpt-lite/latest"),
        ("yandexgpt/rc", "gpt://f/yandexgpt/rc"),
        ("gpt://other/yandexgpt/latest", "gpt://other/yandexgpt/latest"),
        ("ds://tuned-1", "ds://tuned-1"),
    ],
)
def test_the_uri_of_a_model(name, uri):
    assert parameters_of(load_settings(**KEY, yandexgpt_model=name)).model_uri == uri
