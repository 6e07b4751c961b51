from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from explanation_service.settings import Settings, SettingsError, load_settings

ENV_EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def example() -> dict[str, str]:
    lines = ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_defaults() -> None:
    settings = load_settings()
    assert settings.redis_stream_name == "content:changes"
    assert settings.embedding_model_name == "intfloat/multilingual-e5-small"
    assert (settings.api_port, settings.worker_port) == (8080, 8000)
    assert settings.api_keys == () and settings.qdrant_api_key is None
    assert not settings.start_embedding_worker and not settings.yandexgpt_configured


def test_each_process_gets_a_consumer_name_of_its_own() -> None:
    assert load_settings().redis_consumer_name != load_settings().redis_consumer_name


def test_the_environment_is_read_and_overrides_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "81")
    monkeypatch.setenv("WORKER_ROLE", "query")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("START_EMBEDDING_WORKER", "true")
    monkeypatch.setenv("API_KEYS", " one, two ,,")
    settings = load_settings(api_port=82)
    assert (settings.api_port, settings.worker_role, settings.log_level) == (82, "query", "DEBUG")
    assert settings.start_embedding_worker
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    settings = load_settings()
    assert settings.api_port == 8080 and settings.api_keys == ()
    assert settings.qdrant_api_key is None and settings.embedding_model_path is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "eighty"),
        ("API_PORT", "70000"),
        ("WORKER_ROLE", "boss"),
        ("LOG_LEVEL", "loud"),
        ("MONGODB_URI", "http://user:hunter2@host"),
        ("MONGODB_DB", "a/b"),
        ("REDIS_URL", "localhost:6379"),
        ("QDRANT_URL", "127.0.0.1:6333"),
        ("REDIS_STREAM_NAME", "two words"),
        ("YANDEXGPT_TEMPERATURE", "nan"),
        ("YANDEXGPT_TIMEOUT_SECONDS", "-3"),
        ("EXPLANATION_YANDEXGPT_ENABLED", "perhaps"),
        ("YANDEXGPT_API_KEY", "two words"),
        ("YANDEXGPT_IAM_TOKEN", "ключ"),
        ("YANDEXGPT_FOLDER_ID", "папка"),
        ("YANDEXGPT_PROTOCOL", "grpc"),
        ("YANDEXGPT_MAX_CONCURRENCY", "-7"),
        ("EXPLANATION_BACKGROUND_SECONDS", "-7"),
        ("EXPLANATION_CACHE_SECONDS", "-7"),
        ("EXPLANATION_STALE_SECONDS", "-7"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("RATE_LIMIT_BURST", "-1"),
        ("REQUEST_TIMEOUT_SECONDS", "inf"),
        ("CORS_ALLOW_ORIGINS", "nowhere.example"),
        ("SEARCH_BUDGET_MS", "-1"),
        ("SEARCH_WEIGHT_DENSE", "nan"),
        ("SEARCH_WEIGHT_LEXICAL", "0.0"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} must be ") and sentence.endswith(".")
    assert "\n" not in sentence and value not in sentence
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_every_setting_says_what_is_allowed() -> None:
    missing = [name for name, field in Settings.model_fields.items() if not field.description]
    assert missing == []


def test_secrets_and_addresses_stay_out_of_the_repr() -> None:
    settings = load_settings(
        mongodb_uri="mongodb://u:hunter2@h",
        redis_url="redis://:hunter2@h",
        qdrant_url="http://u:hunter2@h",
        qdrant_api_key="hunter2",
        yandexgpt_api_key="hunter2",
        yandexgpt_iam_token="hunter2",
        yandexgpt_base_url="http://u:hunter2@h",
        api_keys="hunter2",
        admin_api_keys=("hunter2",),
    )
    assert "hunter2" not in repr(settings) and "hunter2" not in str(settings)


@pytest.mark.parametrize(
    ("given", "configured"),
    [
        ({}, True),
        ({"explanation_yandexgpt_enabled": False}, False),
        ({"yandexgpt_api_key": None}, False),
        ({"yandexgpt_api_key": None, "yandexgpt_iam_token": "t1.x"}, True),
        ({"yandexgpt_folder_id": None}, False),
    ],
)
def test_the_language_model_needs_key_folder_and_switch(
    given: dict[str, Any], configured: bool
) -> None:
    full = {"yandexgpt_api_key": "k", "yandexgpt_folder_id": "f"}
    assert load_settings(**{**full, **given}).yandexgpt_configured is configured


def test_an_unknown_override_is_an_error_of_the_caller() -> None:
    with pytest.raises(TypeError, match="redis_uri"):
        load_settings(redis_uri="redis://h")


def test_the_example_lists_every_variable_with_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = example()
    assert set(listed) == {name.upper() for name in Settings.model_fields}
    defaults = load_settings(redis_consumer_name="same")
    for name, value in listed.items():
        monkeypatch.setenv(name, value)
    assert load_settings(redis_consumer_name="same") == defaults


def test_the_example_comments_every_variable() -> None:
    lines = ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[A-Z_]+=", line) and not before.startswith("# ")
    ]
    assert bare == []
