"""Errors that a sub-command ends with, each as one sentence."""

from __future__ import annotations

from explanation_service.content.importer import GrammarMissing, ImportFault
from explanation_service.settings import SettingsError
from explanation_service.stores.errors import StoreError


class CommandFault(Exception):
    """Something that the user can put right; the text is one sentence."""


# Their texts are sentences, but for the store's driver, which is quoted.
_SAYING = (CommandFault, SettingsError, ImportFault, GrammarMissing, StoreError)


def one_sentence(error: Exception) -> str | None:
    """What to print for an error; None for one that is a mistake of ours."""
    if isinstance(error, _SAYING):
        return _ended(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, ModuleNotFoundError):
        return f"This installation has no {error.name}; install explanation-service[standalone]."
    return None


def _ended(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
