"""Bodies of /v1/rag/search."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from explanation_service.api.schemas.fields import Mode, OptionalLabel, Tags, Text
from explanation_service.retrieval.highlights import Highlighter
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.records import Passage, SearchFilters

_HIT: dict[str, JsonValue] = {
    "template_id": "spelling-checked-root-vowels",
    "chunk_index": 0,
    "version": 3,
    "title": "Проверяемые безударные гласные в корне",
    "text": "Буква в корне сохраняется такой, какой мы слышим её под ударением.",
    "topic": "orfografiya",
    "exam": "oge",
    "tags": ["корень"],
    "score": 0.831,
    "highlights": [{"start": 8, "end": 13}],
}


class Filters(BaseModel):
    """Only templates with this topic, this exam and at least one of these tags."""

    topic: OptionalLabel = None
    exam: OptionalLabel = None
    tags: Tags = []

    def to_filters(self) -> SearchFilters:
        return SearchFilters(topic=self.topic, exam=self.exam, tags=tuple(self.tags))


class SearchRequest(BaseModel):
    """What to search for."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "как проверить безударную гласную в корне",
                "limit": 3,
                "filters": {"exam": "oge"},
            }
        }
    )

    query: Text
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    filters: Filters = Filters()
    mode: Annotated[Mode, Field(description="Lanes to search; a lane that is away is left out")] = (
        "hybrid"
    )


class HighlightRange(BaseModel):
    """A word of the hit's text that the query has, in another form or misspelt too."""

    start: Annotated[int, Field(ge=0, description="First character, from 0")]
    end: Annotated[int, Field(ge=1, description="The character after the last one")]


class Hit(BaseModel):
    """The best passage of one template; scores compare within one answer only."""

    model_config = ConfigDict(json_schema_extra={"example": _HIT})

    template_id: str
    chunk_index: int
    version: int
    title: str
    text: str
    topic: str | None
    exam: str | None
    tags: list[str]
    score: float
    highlights: Annotated[
        list[HighlightRange],
        Field(
            description=(
                "Words of `text` that the query has, in their order and apart; counted in Unicode "
                "code points. Empty where only the meaning is alike"
            )
        ),
    ]

    @classmethod
    def of(cls, passage: Passage, highlighter: Highlighter) -> Self:
        return cls(
            template_id=passage.template_id,
            chunk_index=passage.chunk_index,
            version=passage.version,
            title=passage.title,
            text=passage.text,
            topic=passage.topic,
            exam=passage.exam,
            tags=list(passage.tags),
            score=passage.score,
            highlights=[
                HighlightRange(start=start, end=end)
                for start, end in highlighter.find(passage.text)
            ],
        )


class SearchResponse(BaseModel):
    """Hits, best first, at most one per template."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "hits": [_HIT],
                "mode": "hybrid",
                "degraded": False,
                "timings_ms": {"lexical": 0.2, "vector": 1.2, "search": 4.9, "total": 6.4},
            }
        }
    )

    hits: list[Hit]
    mode: Annotated[Mode, Field(description="The lanes that were searched")]
    degraded: Annotated[bool, Field(description="A lane that was asked for is missing")]
    timings_ms: dict[str, float]

    @classmethod
    def of(cls, result: SearchResult, query: str) -> Self:
        highlighter = Highlighter(query)
        return cls(
            hits=[Hit.of(passage, highlighter) for passage in result.hits],
            mode=result.mode,
            degraded=result.degraded,
            timings_ms=dict(result.timings_ms),
        )
