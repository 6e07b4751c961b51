"""The language model that is not there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from explanation_service.explanations.language_model import (
    LanguageModelUnavailable,
    Prompt,
    create_language_model,
)
from explanation_service.settings import load_settings

KEY = {"yandexgpt_api_key": "k", "yandexgpt_folder_id": "f"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"yandexgpt_api_key": "k"}, False),
        (KEY, True),
        ({**KEY, "explanation_yandexgpt_enabled": False}, False),
    ],
)
async def test_expected_where_it_was_asked_for(settings, expected):
    with capture_logs() as lines:
        model = create_language_model(load_settings(**settings))
    assert model.expected is expected
    said = [line["event"] for line in lines]
    assert said == (["language model: not available in this build"] if expected else [])
    with pytest.raises(LanguageModelUnavailable):
        await model.complete(Prompt("", ""), 0)
