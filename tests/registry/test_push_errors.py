"""What a push says when it cannot: one sentence. (Of the air-gapped lane's rules_oci.)"""

from __future__ import annotations

import subprocess

import pytest

from tests.registry.conftest import free_port, push


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_a_registry_that_is_away_is_one_sentence() -> None:
    away = f"127.0.0.1:{free_port()}"
    done = push("tests/registry/small_push", "--repository", f"{away}/small", "--tag", "1")
    assert "connection refused" in sentence(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--repository", "localhost:5000/UPPER", "--tag", "1"], "--repository must be HOST/NAME"),
        (["--repository", "localhost:5000/x:1", "--tag", "1"], "without a tag"),
        (["--repository", "localhost:5000/x", "--tag", "a b"], "--tag must be"),
    ],
)
def test_a_wrong_name_is_one_sentence(arguments: list[str], said: str) -> None:
    assert said in sentence(push("tests/registry/small_push", *arguments))
