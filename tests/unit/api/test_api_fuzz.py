"""Whatever comes in headers, bodies, ids and addresses: an answer below 500, errors as problems."""

from __future__ import annotations

import json
import string
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITS = settings(
    max_examples=150,
    deadline=None,
    # The client outlives an example; what one writes is no matter to the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NAMES = ["query", "question", "title", "body", "tags", "limit", "filters", "mode", "stream", "id"]
NAMES += ["template_ids", "all", "template_id", "status", "topic", "exam", "student_answer"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["hybrid", "draft", "a", "2026-01-01", " ", "\x00", "٣"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)
# What a header can hold at all.
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40).map(
    lambda text: text.replace("\x7f", "").strip().encode("latin-1")
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            b"Accept",
            b"Authorization",
            b"Content-Type",
            b"If-Match",
            b"If-None-Match",
            b"Idempotency-Key",
            b"Origin",
            b"X-API-Key",
            b"X-Request-ID",
            b"traceparent",
        ]
    ),
    HEADER | st.sampled_from([b"application/json", b'"1"', b"*", b"text/event-stream"]),
    max_size=4,
)
JSON_TYPE = {"Content-Type": "application/json"}
ROUTES = st.sampled_from(
    [
        ("POST", "/v1/explanations"),
        ("POST", "/v1/rag/search"),
        ("GET", "/v1/rag/search"),
        ("GET", "/v1/rag/status"),
        ("POST", "/v1/rag/reindex"),
        ("GET", "/v1/templates"),
        ("GET", "/v1/templates/a"),
        ("PUT", "/v1/templates/a"),
        ("DELETE", "/v1/templates/a"),
        ("POST", "/v1/templates:import"),
    ]
)


async def ask(client: httpx.AsyncClient, method: str, path: str, **parts) -> httpx.Response:
    answer = await client.request(method, path, **parts)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer


@LIMITS
@given(route=ROUTES, body=JSON)
async def test_bodies_of_any_shape(client, route, body):
    method, path = route
    # NaN and Infinity too: Python writes and reads them, though they are no JSON.
    await ask(client, method, path, content=json.dumps(body), headers=JSON_TYPE)


@LIMITS
@given(
    route=ROUTES,
    body=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode(errors="ignore")),
    headers=HEADERS,
)
async def test_bytes_under_any_headers(client, route, body, headers):
    method, path = route
    await ask(client, method, path, content=body, headers=headers)


@LIMITS
@given(
    method=st.sampled_from(["GET", "PUT", "DELETE"]),
    template_id=st.text(min_size=1, max_size=40) | st.text(string.punctuation, min_size=1),
)
async def test_any_id(client, method, template_id):
    draft = {"title": "t", "body": "b"} if method == "PUT" else None
    path = f"/v1/templates/{quote(template_id, safe='')}"
    answer = await ask(client, method, path, json=draft)
    if answer.status_code in (200, 201) and method == "PUT":
        assert answer.json()["id"] == template_id


@LIMITS
@given(
    path=st.sampled_from(["/v1/rag/search", "/v1/templates", "/v1/rag/status", "/"]),
    query=st.dictionaries(
        st.sampled_from(["query", "limit", "cursor", "topic", "exam", "tags", "mode", "x"]),
        st.text(max_size=30) | st.integers().map(str),
        max_size=5,
    ),
)
async def test_any_address(client, path, query):
    await ask(client, "GET", path, params=query)


@LIMITS
@given(lines=st.lists(st.binary(max_size=40) | JSON.map(lambda one: json.dumps(one).encode())))
async def test_any_lines(client, lines):
    body = b"\n".join(lines)
    answer = await ask(client, "POST", "/v1/templates:import", content=body)
    if answer.status_code == 200:
        filled = [line for line in body.split(b"\n") if line.strip()]
        assert len(answer.json()["lines"]) == len(filled), "each line has an outcome"
