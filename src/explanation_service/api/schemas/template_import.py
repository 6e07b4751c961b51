"""Bodies of /v1/templates:import."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from explanation_service.api.schemas.templates import DRAFT_EXAMPLE


class ImportedLine(BaseModel):
    """What became of one line."""

    line: Annotated[int, Field(ge=1, description="Number of the line, from 1; empty ones count")]
    id: Annotated[str | None, Field(description="Null when the line is no template")] = None
    outcome: Literal["created", "updated", "unchanged", "failed"]
    reason: Annotated[str | None, Field(description="Why it failed")] = None


class ImportReport(BaseModel):
    """What became of every line that holds something; `failed` lines stopped no other."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "created": 1,
                "updated": 0,
                "unchanged": 0,
                "failed": 1,
                "dry_run": False,
                "lines": [
                    {"line": 1, "id": "spelling-checked-root-vowels", "outcome": "created"},
                    {
                        "line": 2,
                        "outcome": "failed",
                        "reason": "title: field is missing",
                    },
                ],
            }
        }
    )

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    dry_run: Annotated[bool, Field(description="Nothing was written")] = False
    lines: list[ImportedLine] = []

    def add(self, line: ImportedLine) -> None:
        """Count and list one line."""
        self.lines.append(line)
        setattr(self, line.outcome, getattr(self, line.outcome) + 1)

    def in_order(self) -> Self:
        """With the lines in the order of the body."""
        self.lines.sort(key=lambda line: line.line)
        return self


LINE_EXAMPLE = {"id": "spelling-checked-root-vowels", **DRAFT_EXAMPLE}
