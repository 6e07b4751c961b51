"""The settings of every process, each named as its environment variable in lower case."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from explanation_service.settings.prompt import DEFAULT_SYSTEM_PROMPT

ApiKeys = Annotated[tuple[SecretStr, ...], NoDecode]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^\s/,]+)$")]
Origins = Annotated[tuple[Origin, ...], NoDecode]
Port = Annotated[int, Field(ge=1, le=65535)]

_PORT = "a whole number from 1 to 65535"
_NAME = "1 to 200 characters without white space"
_NAME_PATTERN = r"^\S{1,200}$"
_SWITCH = "true or false"
_WEIGHT = "a number above 0 and up to 100"
_TEXT = "a text of at least one character"
_CREDENTIAL = "printable ASCII characters without spaces"
_URL_HTTP = r"^https?://\S+$"


def _default_consumer() -> str:
    """Unique even where two containers share a host name and both run as process 1."""
    return f"{socket.gethostname()}-{os.getpid()}-{token_hex(2)}"


class SettingsError(Exception):
    """A setting is wrong; the text is one sentence that names its environment variable."""


class Settings(BaseSettings):
    """Read from the environment; an empty variable counts as absent.

    The description of a field completes the sentence "NAME must be ...". Addresses may carry a
    password, so neither they nor the keys appear in the repr.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    app_env: str = Field("development", pattern=_NAME_PATTERN, description=_NAME)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )

    mongodb_uri: str = Field(
        "mongodb://127.0.0.1:27017",
        pattern=r"^mongodb(\+srv)?://\S+$",
        repr=False,
        description="an address that starts with mongodb:// or mongodb+srv://",
    )
    mongodb_db: str = Field(
        "explanations",
        pattern=r'^[^/\\. "$*<>:|?\x00]{1,63}$',
        description='the name of a database, 1 to 63 characters without / \\ . " $ or spaces',
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern=r"^(rediss?|unix)://\S+$",
        repr=False,
        description="an address that starts with redis://, rediss:// or unix://",
    )
    redis_stream_name: str = Field("content:changes", pattern=_NAME_PATTERN, description=_NAME)
    redis_stream_group: str = Field("embedding-workers", pattern=_NAME_PATTERN, description=_NAME)
    redis_consumer_name: str = Field(
        default_factory=_default_consumer, pattern=_NAME_PATTERN, description=_NAME
    )
    qdrant_url: str = Field(
        "http://127.0.0.1:6333",
        pattern=_URL_HTTP,
        repr=False,
        description="an address that starts with http:// or https://",
    )
    qdrant_api_key: SecretStr | None = Field(None, description=_TEXT)
    qdrant_collection: str = Field(
        "templates",
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="1 to 100 letters, digits, _ or -",
    )

    yandexgpt_api_key: SecretStr | None = Field(None, description=_CREDENTIAL)
    yandexgpt_iam_token: SecretStr | None = Field(None, description=_CREDENTIAL)
    yandexgpt_folder_id: str | None = Field(
        None, pattern=r"^[\x21-\x7e]{1,200}$", description=_CREDENTIAL
    )
    yandexgpt_protocol: Literal["native", "openai"] = Field(
        "native", description="native or openai"
    )
    yandexgpt_base_url: str | None = Field(
        None,
        pattern=_URL_HTTP,
        repr=False,
        description="an address that starts with http:// or https://",
    )
    yandexgpt_model: str = Field("yandexgpt-lite", pattern=_NAME_PATTERN, description=_NAME)
    yandexgpt_temperature: float = Field(
        0.2, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    yandexgpt_max_tokens: int = Field(
        700, ge=1, le=32_000, description="a whole number from 1 to 32000"
    )
    yandexgpt_timeout_seconds: float = Field(
        2.0, gt=0, le=120, allow_inf_nan=False, description="a number above 0 and up to 120"
    )
    yandexgpt_max_concurrency: int = Field(
        8, ge=1, le=1000, description="a whole number from 1 to 1000"
    )
    yandexgpt_system_prompt: str = Field(
        DEFAULT_SYSTEM_PROMPT, min_length=1, repr=False, description=_TEXT
    )
    explanation_yandexgpt_enabled: bool = Field(True, description=_SWITCH)
    explanation_background_seconds: float = Field(
        10.0, ge=0, le=300, allow_inf_nan=False, description="a number from 0 to 300"
    )
    explanation_cache_seconds: int = Field(
        86_400, ge=0, le=31_536_000, description="a whole number from 0 to 31536000"
    )
    explanation_stale_seconds: int = Field(
        604_800, ge=1, le=31_536_000, description="a whole number from 1 to 31536000"
    )

    start_embedding_worker: bool = Field(False, description=_SWITCH)
    embedding_model_name: str = Field(
        "intfloat/multilingual-e5-small", min_length=1, description=_TEXT
    )
    embedding_model_path: Path | None = Field(None, description="the path of a directory")
    embedding_max_batch_tokens: int = Field(
        1024, ge=32, le=65_536, description="a whole number from 32 to 65536"
    )
    embedding_backend: Literal["torch", "onnx", "onnx-int8"] = Field(
        "torch", description="torch, onnx or onnx-int8"
    )
    embedding_precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto, float32 or bfloat16"
    )
    fasttext_model_path: Path | None = Field(None, description="the path of a file")
    worker_role: Literal["all", "index", "query"] = Field("all", description="all, index or query")
    reconcile_interval_seconds: int = Field(
        3600, ge=0, le=2_592_000, description="a whole number from 0 to 2592000"
    )
    search_budget_ms: int = Field(
        200, ge=1, le=10_000, description="a whole number from 1 to 10000"
    )
    # Measured by //bench:retrieval: dense 0.5 to 0.9 are equal, at 1.2 hit@1 falls by .06.
    search_weight_dense: float = Field(0.8, gt=0, le=100, description=_WEIGHT)
    search_weight_lexical: float = Field(1.0, gt=0, le=100, description=_WEIGHT)

    api_keys: ApiKeys = Field((), description="keys with commas between them")
    admin_api_keys: ApiKeys = Field((), description="keys with commas between them")
    rate_limit_per_minute: int = Field(
        0, ge=0, le=1_000_000, description="a whole number from 0 (off) to 1000000"
    )
    rate_limit_burst: int = Field(
        20, ge=1, le=100_000, description="a whole number from 1 to 100000"
    )
    request_timeout_seconds: float = Field(
        30.0, gt=0, le=3600, allow_inf_nan=False, description="a number above 0 and up to 3600"
    )
    cors_allow_origins: Origins = Field(
        (), description="origins such as https://school.example with commas between them, or *"
    )
    api_host: str = Field("0.0.0.0", pattern=_NAME_PATTERN, description=_NAME)
    api_port: Port = Field(8080, description=_PORT)
    worker_host: str = Field("0.0.0.0", pattern=_NAME_PATTERN, description=_NAME)
    worker_port: Port = Field(8000, description=_PORT)

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("yandexgpt_api_key", "yandexgpt_iam_token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        # What does not, an HTTP library quotes in its error.
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError(_CREDENTIAL)
        return value

    @field_validator("api_keys", "admin_api_keys", "cors_allow_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @property
    def search_weights(self) -> tuple[float, float]:
        """Weights of the lanes in the fusion: dense, lexical."""
        return self.search_weight_dense, self.search_weight_lexical

    @property
    def yandexgpt_configured(self) -> bool:
        """Whether the language model can be asked: switched on, with a key or a token and
        a folder."""
        return bool(
            self.explanation_yandexgpt_enabled
            and (self.yandexgpt_api_key or self.yandexgpt_iam_token)
            and self.yandexgpt_folder_id
        )


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process, `overrides` (by field name) before the environment.

    Raises SettingsError with one sentence about the first wrong setting. The sentence never
    repeats the value, which may be a secret in the wrong place.
    """
    unknown = sorted(overrides.keys() - Settings.model_fields.keys())
    if unknown:
        raise TypeError(f"no such settings: {', '.join(unknown)}")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0]).lower()
        allowed = Settings.model_fields[name].description
    # Outside of the except clause, so that no traceback shows pydantic's error with the value.
    raise SettingsError(f"{name.upper()} must be {allowed}.")
