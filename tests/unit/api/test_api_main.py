"""The command: what it says when it cannot start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest


def run(**settings: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "explanation_service.api"]
    environment = {**os.environ, "API_HOST": "127.0.0.1", **settings}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "many"),
        ("REDIS_URL", "http://redis"),
        ("MONGODB_URI", "mongodb://:secret@"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_is_one_sentence(name, value):
    done = run(**{"API_PORT": free_port(), name: value})
    assert done.returncode == 2
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert name in sentence
    assert value not in sentence


def test_a_port_that_is_taken_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(API_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "API_PORT" in done.stderr


def test_the_monolith_s_two_ports_must_differ():
    port = free_port()
    done = run(API_PORT=port, WORKER_PORT=port, START_EMBEDDING_WORKER="true")
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "WORKER_PORT must differ from API_PORT" in sentence
