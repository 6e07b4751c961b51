"""Templates as JSON Lines: one template a line, with its id among the fields."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from explanation_service.content.template import TemplateDraft, TemplateId

_TEMPLATE_ID: TypeAdapter[str] = TypeAdapter(TemplateId)


class LineFault(ValueError):
    """A line is no template; the text says why, without a full stop."""


class TemplateLines:
    """Reads the lines of one file or body in their order."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def parse(self, number: int, raw: bytes) -> tuple[str, TemplateDraft]:
        """The id and the draft of a line; raises LineFault for what is no template and for an
        id that an earlier line had."""
        template_id, draft = _parse(raw)
        first = self._seen.setdefault(template_id, number)
        if first != number:
            raise LineFault(f"repeats the id of line {first}")
        return template_id, draft


def _parse(raw: bytes) -> tuple[str, TemplateDraft]:
    try:
        # utf-8-sig: editors on Windows put a byte order mark before the first line.
        document = json.loads(raw.decode("utf-8-sig"))
        if not isinstance(document, dict):
            raise LineFault("is no JSON object")
        if "id" not in document:
            raise LineFault("id: field is missing")
        template_id = _TEMPLATE_ID.validate_python(document["id"])
        return template_id, TemplateDraft.model_validate(document)
    except UnicodeDecodeError:
        raise LineFault("is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise LineFault(f"is no JSON ({error.msg})") from None
    except RecursionError:
        raise LineFault("is nested too deeply") from None
    except ValidationError as error:
        raise LineFault(_first_fault(error)) from None


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "id"
    return f"{name}: {'field is missing' if first['type'] == 'missing' else first['msg']}"
