from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.stores import embedding_messages as messages
from explanation_service.stores.records import (
    EmbeddingModelInfo,
    QueryReply,
    QueryRequest,
    WorkerState,
)

REQUEST = QueryRequest("i", "где тире", "r1", 1_700_000_000_000, "embedding:replies:x")
WORKER = WorkerState("c", "query", "r1", "m", 384, True)
MODEL = EmbeddingModelInfo("m", "r1", 384, 512, "query: ", "passage: ")


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_a_vector_of_float32_comes_back_exactly(vector: list[float]) -> None:
    assert messages.decode_vector(messages.encode_vector(vector)) == tuple(vector)


def test_the_bytes_of_a_vector_are_little_endian_float32() -> None:
    assert messages.encode_vector([1.0]) == "AACAPw=="


def test_messages_come_back() -> None:
    assert messages.decode_request(messages.encode_request(REQUEST)) == REQUEST
    assert messages.decode_worker(messages.encode_worker(WORKER)) == WORKER
    assert messages.decode_model(messages.encode_model(MODEL)) == MODEL
    reply = messages.encode_reply("i", "r1", [0.5, -1.0])
    assert messages.decode_reply(reply) == QueryReply("i", "r1", (0.5, -1.0))


def test_a_request_without_a_revision_takes_any() -> None:
    row = json.loads(messages.encode_request(REQUEST))
    del row["revision"]
    request = messages.decode_request(json.dumps(row))
    assert request is not None and request.revision is None


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        "null",
        "{}",
        "{",
        '{"id": "i", "text": 5, "deadline_ms": 1, "reply_to": "x"}',
        '{"id": "i", "text": "t", "deadline_ms": "soon", "reply_to": "x"}',
        '{"id": "i", "revision": "r", "vector_b64": "AAA"}',
        '{"id": "i", "revision": "r", "vector_b64": 5}',
        '{"id": "i", "revision": "r", "vector_b64": ""}',
    ],
)
def test_what_cannot_be_read_is_none(raw: str) -> None:
    for decode in (
        messages.decode_request,
        messages.decode_reply,
        messages.decode_worker,
        messages.decode_model,
    ):
        assert decode(raw) is None


@pytest.mark.parametrize("raw", ["AAA=", "AACAPwA=", "ы", "AACA Pw=="])
def test_a_broken_vector_is_none(raw: str) -> None:
    assert messages.decode_vector(raw) is None


def test_cache_keys_tell_models_and_texts_apart() -> None:
    keys = {
        messages.cache_key(revision, text) for revision in "ab" for text in ("x", "y", "\ud800")
    }
    assert len(keys) == 6
    assert messages.cache_key("r1", "тире").startswith("embedding:vector:r1:")
