"""The health check of containers."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_exit_code_0_for_an_answer_of_200(explanation, server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    outcome = explanation("healthcheck", f"{server}/health")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_the_default_is_the_api_of_this_machine(explanation, server, monkeypatch):
    monkeypatch.setenv("API_PORT", server.rsplit(":")[-1])
    assert explanation("healthcheck").code == 0


@pytest.mark.parametrize(
    "url", ["{}/health/ready", "http://127.0.0.1:1/", "file:///etc/passwd", "x"]
)
def test_exit_code_1_and_a_sentence_otherwise(explanation, server, url):
    outcome = explanation("healthcheck", url.format(server))
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1


def test_it_needs_the_standard_library_alone():
    program = (
        "import sys, explanation_service.healthcheck\n"
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    foreign = {name for name in done.stdout.split() if not name.startswith(("_", "site"))}
    assert foreign <= {"explanation_service"}, foreign
