"""The OpenAPI document is enough for a client generator."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture
async def document(client):
    return (await client.get("/openapi.json")).json()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def test_every_route_is_there(document):
    assert {name for name, _ in operations(document)} == {
        "POST /v1/explanations",
        "POST /v1/rag/search",
        "GET /v1/rag/search",
        "GET /v1/rag/status",
        "POST /v1/rag/reindex",
        "GET /v1/templates",
        "GET /v1/templates/{template_id}",
        "PUT /v1/templates/{template_id}",
        "DELETE /v1/templates/{template_id}",
        "POST /v1/templates:import",
        "GET /health",
        "GET /health/ready",
    }


def test_operation_ids_are_unique_and_every_reference_resolves(document):
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    names = set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


def test_errors_are_problems(document):
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] in "45" and "/health" not in name:
                assert set(answer["content"]) == {"application/problem+json"}, (name, status)
    assert "HTTPValidationError" not in json.dumps(document)


def test_v1_routes_say_how_to_authenticate(document):
    for name, operation in operations(document):
        assert bool(operation.get("security")) == ("/v1/" in name), name


def test_bodies_have_examples(document):
    for name in (
        "ExplanationBody",
        "ExplanationResponse",
        "SearchRequest",
        "SearchResponse",
        "Problem",
        "RagStatus",
        "Readiness",
    ):
        assert document["components"]["schemas"][name]["example"], name


def test_the_command_prints_the_same_document(document):
    command = [sys.executable, "-m", "explanation_service.api.openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert json.loads(printed.stdout) == document
    assert printed.stderr == b""
