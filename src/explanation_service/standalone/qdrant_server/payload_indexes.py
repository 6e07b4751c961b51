"""Payload index schemas: from the REST API to the engine and back."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from explanation_service.standalone.qdrant_server.faults import BadInput, NotServed

_TYPES = {
    models.PayloadSchemaType.KEYWORD: edge.PayloadSchemaType.Keyword,
    models.PayloadSchemaType.INTEGER: edge.PayloadSchemaType.Integer,
    models.PayloadSchemaType.FLOAT: edge.PayloadSchemaType.Float,
    models.PayloadSchemaType.GEO: edge.PayloadSchemaType.Geo,
    models.PayloadSchemaType.TEXT: edge.PayloadSchemaType.Text,
    models.PayloadSchemaType.BOOL: edge.PayloadSchemaType.Bool,
    models.PayloadSchemaType.DATETIME: edge.PayloadSchemaType.Datetime,
    models.PayloadSchemaType.UUID: edge.PayloadSchemaType.Uuid,
}
_TOKENIZERS = {
    models.TokenizerType.PREFIX: edge.TokenizerType.Prefix,
    models.TokenizerType.WHITESPACE: edge.TokenizerType.Whitespace,
    models.TokenizerType.WORD: edge.TokenizerType.Word,
    models.TokenizerType.MULTILINGUAL: edge.TokenizerType.Multilingual,
}
# Placement hints of a real server; here everything is small enough for either.
_WITHOUT_EFFECT = {"type", "on_disk", "memory", "enable_hnsw"}


def to_engine(wire: models.PayloadFieldSchema | None) -> Any:
    """A schema type or the parameters of one. Raises BadInput when none is given."""
    match wire:
        case None:
            raise BadInput("field_schema must be given")
        case models.PayloadSchemaType():
            return _TYPES[wire]
        case models.TextIndexParams():
            return _text(wire)
        case models.KeywordIndexParams():
            return edge.KeywordIndexParams(**_options(wire))
        case models.IntegerIndexParams():
            return edge.IntegerIndexParams(**_options(wire))
        case models.FloatIndexParams():
            return edge.FloatIndexParams(**_options(wire))
        case models.BoolIndexParams():
            return edge.BoolIndexParams(**_options(wire))
        case models.DatetimeIndexParams():
            return edge.DatetimeIndexParams(**_options(wire))
        case models.UuidIndexParams():
            return edge.UuidIndexParams(**_options(wire))
    raise NotServed(f"the index {type(wire).__name__}")


def describe(schema: dict[str, edge.PayloadIndexInfo]) -> dict[str, dict[str, Any]]:
    """The `payload_schema` of a collection."""
    return {
        field: {"data_type": _name(index.data_type), "points": index.points}
        for field, index in schema.items()
    }


def _name(kind: edge.PayloadSchemaType) -> str:
    # The engine's enumeration compares but does not hash.
    return next(wire.value for wire, ours in _TYPES.items() if ours == kind)


def _options(wire: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in wire.model_dump(exclude_none=True).items()
        if name not in _WITHOUT_EFFECT
    }


def _text(wire: models.TextIndexParams) -> edge.TextIndexParams:
    if wire.stopwords is not None or wire.stemmer is not None or wire.scoring is not None:
        raise NotServed("a text index with stop words, a stemmer or scoring")
    options = _options(wire)
    if wire.tokenizer is not None:
        options["tokenizer"] = _TOKENIZERS[wire.tokenizer]
    return edge.TextIndexParams(**options)
