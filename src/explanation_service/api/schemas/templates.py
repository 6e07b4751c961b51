"""Bodies of /v1/templates; a template itself is `content.template.Template`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from explanation_service.content.template import Template

DRAFT_EXAMPLE = {
    "title": "Проверяемые безударные гласные в корне",
    "body": "Буква в корне сохраняется такой, какой мы слышим её под ударением.",
    "topic": "orfografiya",
    "exam": "oge",
    "tags": ["корень"],
    "status": "published",
}


class TemplatePage(BaseModel):
    """Templates by id, drafts included."""

    items: list[Template]
    next_cursor: Annotated[
        str | None, Field(description="The `cursor` of the next page; null on the last one")
    ]
