"""The key or token of the folder: goes into one header and nowhere else."""

from __future__ import annotations

from explanation_service.settings import Settings

_HIDDEN = b"***"


class Credentials:
    """Its repr is that of any object, so that it can stand in a traceback's variables."""

    __slots__ = ("_scheme", "_secret")

    def __init__(self, scheme: str, secret: str) -> None:
        self._scheme = scheme
        self._secret = secret

    @classmethod
    def of(cls, settings: Settings) -> Credentials:
        """The key, else the IAM token."""
        if settings.yandexgpt_api_key is not None:
            return cls("Api-Key", settings.yandexgpt_api_key.get_secret_value())
        assert settings.yandexgpt_iam_token is not None
        return cls("Bearer", settings.yandexgpt_iam_token.get_secret_value())

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"{self._scheme} {self._secret}"

    def scrub(self, received: bytes) -> bytes:
        """Without the secret, should a server repeat it."""
        return received.replace(self._secret.encode(), _HIDDEN)
