"""The body of every error: RFC 9457 problem details."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from explanation_service.api.schemas.template_import import ImportReport


class FieldFault(BaseModel):
    """One part of a request that is not as it should be."""

    field: Annotated[str, Field(description="Where, as a path: body.filters.tags.0")]
    message: str


class Problem(BaseModel):
    """application/problem+json; `type` is about:blank, so `title` is the status in words."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Service Unavailable",
                "status": 503,
                "detail": "qdrant is unavailable; try again later.",
                "code": "dependency_unavailable",
                "request_id": "0b1f6d6f3a6c4f0f9a4f2c6d8e7a5b43",
                "dependency": "qdrant",
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="What went wrong, in a sentence for a person")]
    code: Annotated[str, Field(description="What went wrong, in a word for a program")]
    request_id: Annotated[str | None, Field(description="The X-Request-ID of the answer")] = None
    dependency: Annotated[str | None, Field(description="With 503: mongodb, redis or qdrant")] = (
        None
    )
    errors: Annotated[list[FieldFault] | None, Field(description="With 422")] = None
    report: Annotated[
        ImportReport | None, Field(description="With an import that broke off: what was done")
    ] = None
