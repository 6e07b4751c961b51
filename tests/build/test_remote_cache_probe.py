"""--config=ci: which cache bazelw builds with, and what it says when it cannot."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.build.bazelw_checkout import Checkout, one_sentence

REFUSED = "http://ci:secret@127.0.0.1:9/cache"


@contextmanager
def cache(
    get: int, put: int, seen: list[tuple[str, str, str | None]] | None = None
) -> Iterator[str]:
    """An HTTP cache that answers with these statuses; its address with a login."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            if seen is not None:
                seen.append((self.command, self.path, self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self._answer(get)

        def do_PUT(self) -> None:
            self._answer(put)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://ci:secret@127.0.0.1:{server.server_address[1]}/cache"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Runs bazelw with a cache's address; answers the rc lines for Bazel, and stderr."""
    checkout = Checkout(tmp_path)
    checkout.command(
        "bazel", 'for a in "$@"; do case "$a" in --bazelrc=*) cat "${a#--bazelrc=}";; esac; done'
    )

    def run(address: str | None, *arguments: str) -> tuple[str, str]:
        environment = {"BAZEL_REMOTE_CACHE": address} if address is not None else {}
        done = checkout.run(
            *(arguments or ("build", "--config=ci", "//...")),
            EXPLANATION_LANE="online",
            **environment,
        )
        assert done.returncode == 0, done.stderr
        assert "secret" not in done.stderr
        return done.stdout, done.stderr

    return run


def test_a_cache_that_takes_uploads_is_used_without_a_word(build: Any) -> None:
    seen: list[tuple[str, str, str | None]] = []
    with cache(404, 201, seen) as address:
        lines, said = build(address)
    assert lines == f"build:ci --remote_cache={address}\n"
    assert said == ""
    assert [method for method, _, _ in seen] == ["GET", "PUT"]
    assert all(path.startswith("/cache/cas/") for _, path, _ in seen)
    assert all(login == "Basic Y2k6c2VjcmV0" for _, _, login in seen)


def test_a_read_only_cache_is_read_and_said(build: Any) -> None:
    with cache(404, 403) as address:
        lines, said = build(address)
    assert lines.splitlines() == [
        f"build:ci --remote_cache={address}",
        "build:ci --noremote_upload_local_results",
    ]
    assert "warning: the remote cache at 127.0.0.1 refuses uploads (403)" in one_sentence(said)


def test_a_dead_cache_is_said_and_left_out(build: Any) -> None:
    lines, said = build(REFUSED)
    assert lines == ""
    assert "warning: the remote cache at 127.0.0.1 does not answer" in one_sentence(said)


def test_a_cache_that_fails_is_said_and_left_out(build: Any) -> None:
    with cache(500, 500) as address:
        lines, said = build(address)
    assert lines == ""
    assert "answers 500; building without it" in one_sentence(said)


def test_no_cache_is_said(build: Any) -> None:
    lines, said = build(None)
    assert lines == ""
    assert "building without a remote cache" in one_sentence(said)


@pytest.mark.parametrize(
    "arguments", [("build", "//..."), ("run", "//:standalone", "--", "--config=ci")]
)
def test_nothing_is_asked_without_the_configuration(build: Any, arguments: tuple[str, ...]) -> None:
    assert build(REFUSED, *arguments) == ("", "")


def test_a_grpc_cache_is_left_to_bazel(build: Any) -> None:
    lines, said = build("grpc://cache.example:9092")
    assert lines == "build:ci --remote_cache=grpc://cache.example:9092\n"
    assert said == ""


def test_what_is_no_address_is_said(build: Any) -> None:
    lines, said = build("cache.example")
    assert lines == ""
    assert "is no http, https or grpc address" in one_sentence(said)
