"""A client that is generated from the OpenAPI document has every operation, type-checks with a
program that uses it, does not with one that misuses it, and speaks to the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.embedded_stores import embedded_stores
from bench.service_programs import ServicePrograms
from explanation_service.standalone.faults import CannotStart
from explanation_service.standalone.process import running
from explanation_service.standalone.program import python_environment

FOLDER = Path("tests/client").absolute()
CONFIG = FOLDER / "generator.yaml"
# Lines of the generator's own, the same for every document, pass `*args: object` to httpx.
MYPY = """
[mypy]
strict = true
[mypy-explanation_client.client]
disable_error_code = arg-type
"""
METHODS = {"get", "put", "post", "delete"}
MISUSES = {
    "no such field": ('SearchRequest(question="не")', "call-arg"),
    "a number for a text": ("SearchRequest(query=7)", "arg-type"),
    "a mode that is none": ('SearchRequest(query="не", mode="fuzzy")', "arg-type"),
    "a required field is missing": ('TemplateDraft(title="Тире")', "call-arg"),
    "an answer's field that is none": ("SearchResponse.from_dict({}).results", "attr-defined"),
    "a version that is no ETag": (
        'delete_template.sync("tire", client=CLIENT, if_match=3)',
        "arg-type",
    ),
    "a problem taken for an answer": (
        'search.sync(client=CLIENT, body=SearchRequest(query="не")).hits',
        "union-attr",
    ),
}


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """With the modules that this process sees, and those in `folder`."""
    environment = {**os.environ, **python_environment()}
    environment["PYTHONPATH"] += os.pathsep + str(folder)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def document() -> str:
    done = python("-m", "explanation_service.api.openapi", folder=Path.cwd())
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(document: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the package explanation_client, and the program beside it."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(document, encoding="utf-8")
    done = python(
        *("-m", "openapi_python_client", "generate", "--path", "openapi.json"),
        *("--config", str(CONFIG), "--output-path", "explanation_client"),
        *("--meta", "none", "--fail-on-warning"),
        folder=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "mypy.ini").write_text(MYPY)
    (folder / "usage.py").write_bytes((FOLDER / "usage.py").read_bytes())
    return folder


def checked(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "mypy", "--config-file=mypy.ini", *files, folder=folder)


def test_no_operation_is_left_out(document: str, folder: Path) -> None:
    wanted = {
        operation["operationId"]
        for item in json.loads(document)["paths"].values()
        for method, operation in item.items()
        if method in METHODS
    }
    made = {path.stem for path in folder.glob("explanation_client/api/*/*.py")} - {"__init__"}
    assert made == wanted


def test_client_and_program_type_check(folder: Path) -> None:
    done = checked(folder, "explanation_client", "usage.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_misuse_does_not_type_check(folder: Path) -> None:
    lines = [
        "from explanation_client import AuthenticatedClient",
        "from explanation_client.api.search import search",
        "from explanation_client.api.templates import delete_template",
        "from explanation_client.models.search_request import SearchRequest",
        "from explanation_client.models.search_response import SearchResponse",
        "from explanation_client.models.template_draft import TemplateDraft",
        'CLIENT = AuthenticatedClient(base_url="http://127.0.0.1", token="any")',
    ]
    before = len(lines)
    lines += [expression for expression, _ in MISUSES.values()]
    (folder / "misuse.py").write_text("\n".join(lines), encoding="utf-8")
    done = checked(folder, "misuse.py")
    for number, (name, (_, code)) in enumerate(MISUSES.items(), before + 1):
        found = [one for one in done.stdout.splitlines() if one.startswith(f"misuse.py:{number}:")]
        assert any(f"[{code}]" in one for one in found), f"{name}: {done.stdout}"
    # And nothing else is wrong with it.
    others = [f"misuse.py:{number}:" for number in range(1, before + 1)]
    assert not [one for one in done.stdout.splitlines() if one.startswith(tuple(others))]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An API without a worker, on stores of its own."""
    place = tmp_path_factory.mktemp("service")
    try:
        with embedded_stores(place) as stores:
            programs = ServicePrograms(stores, place)
            with running(programs.api(), 120):
                yield programs.url
    except CannotStart as reason:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def test_the_program_runs(folder: Path, url: str) -> None:
    done = python("usage.py", url, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["versions"] == [1, 2]
    assert result["listed"] == ["ne-s-glagolami", "tire"]
    assert result["found"] == []
    assert result["source"] == "rules"
    assert result["queued"][0] == 1
    assert result["queued"][1] >= 4
    assert result["removed"] == 204
