"""The OpenAPI document is enough for a client generator."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from jsonschema_rs import Draft202012Validator, meta

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


def test_every_operation_is_named_as_a_client_would_call_it(document):
    names = {operation["operationId"] for _, operation in operations(document)}
    assert names == {
        "explain",
        "search",
        "search_by_address",
        "read_status",
        "reindex",
        "list_templates",
        "read_template",
        "write_template",
        "delete_template",
        "import_templates",
        "health",
        "ready",
    }
    for name, operation in operations(document):
        assert operation["summary"] and operation["tags"], name


def media(document):
    """Every body of every request and answer: its name, media type and content."""
    for name, operation in operations(document):
        bodies = {"request": operation.get("requestBody"), **operation["responses"]}
        for which, body in bodies.items():
            for kind, content in ((body or {}).get("content") or {}).items():
                yield f"{name} {which} {kind}", content


def test_every_body_has_a_schema_with_a_type(document):
    for name, content in media(document):
        schema = content["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert schema.get("type"), name


def test_answers_that_everybody_can_get_are_listed(document):
    for name, operation in operations(document):
        if "/v1/" in name:
            assert {"401", "422", "429", "500", "503"} <= set(operation["responses"]), name
            assert "Retry-After" in operation["responses"]["429"]["headers"]
        if "requestBody" in operation:
            assert {"400", "408", "413"} <= set(operation["responses"]), name


def test_schemas_and_the_examples_in_them_are_valid(document):
    def check(schema, value, name):
        whole = {**schema, "components": document["components"]}
        faults = [str(fault) for fault in Draft202012Validator(whole).iter_errors(value)]
        assert faults == [], (name, faults)

    seen = 0
    for name, schema in document["components"]["schemas"].items():
        meta.validate(schema)
        if "example" in schema:
            check(schema, schema["example"], name)
            seen += 1
    for name, content in media(document):
        if "example" in content and "json" in name.rpartition(" ")[2].removesuffix("x-ndjson"):
            check(content["schema"], content["example"], name)
            seen += 1
        for example in content["schema"].get("examples", ()):
            check(content["schema"], example, name)
            seen += 1
    assert seen > 50


def test_parameters_say_what_they_take(document):
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            meta.validate(schema)
            assert "null" not in json.dumps(schema), (name, parameter["name"])
            for example in schema.get("examples", ()):
                assert Draft202012Validator(schema).is_valid(example), parameter["name"]


def test_the_command_prints_the_same_document(document):
    command = [sys.executable, "-m", "explanation_service.api.openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert json.loads(printed.stdout) == document
    assert printed.stderr == b""
