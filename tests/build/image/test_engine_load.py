"""The loader against an engine that speaks the real protocol on a real socket."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest
from oci.private.load import main

BLOCK = 1 << 20


class Engine(ThreadingMixIn, UnixStreamServer):
    """What the loader asks of an engine; `images` are their layers, `loads` the archives sent."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.images: list[list[str]] = []
        self.loads: list[list[str]] = []
        self.answer: Callable[[list[str]], tuple[int, str]] = lambda _: (200, '{"stream":"ok"}')
        self.break_off = False
        self.peak_file = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def address_string(self) -> str:
        return "socket"

    def do_GET(self) -> None:
        if self.path.startswith("/images/json"):
            self._send(200, [{"Id": str(number)} for number in range(len(self.server.images))])
        else:
            number = int(self.path.split("/")[2])
            self._send(200, {"RootFS": {"Layers": self.server.images[number]}})

    def do_POST(self) -> None:
        if self.server.break_off:
            self.rfile.read(100)
            self.connection.close()
            return
        names = []
        with tarfile.open(fileobj=_Chunks(self.rfile), mode="r|") as archive:
            for member in archive:
                names.append(member.name)
                self.server.peak_file = max(self.server.peak_file, member.size)
        self.server.loads.append(names)
        status, text = self.server.answer(names)
        self._send(status, json.loads(text))

    def _send(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class _Chunks(io.RawIOBase):
    """The body of a request with chunked transfer coding; read to its end, as an engine does."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        out = b""
        while len(out) < size and not self._ended:
            if not self._left:
                self._left = int(self._stream.readline(), 16)
                if not self._left:
                    self._stream.readline()
                    self._ended = True
                    break
            piece = self._stream.read(min(self._left, size - len(out)))
            out += piece
            self._left -= len(piece)
            if not self._left:
                self._stream.readline()
        return out

    def close(self) -> None:
        while not self._ended and self.read(BLOCK):
            pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    path = tmp_path / "s"
    with Engine(path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield server
        server.shutdown()
        thread.join()


def layout(folder: Path, layers: list[bytes]) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return f"sha256:{digest}"

    digests = [add(data) for data in layers]
    config = add(json.dumps({"rootfs": {"diff_ids": [f"diff-{x[7:]}" for x in digests]}}).encode())
    manifest = {"config": {"digest": config}, "layers": [{"digest": x} for x in digests]}
    index = {"manifests": [{"digest": add(json.dumps(manifest).encode())}]}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def diff_ids(layers: list[bytes]) -> list[str]:
    return [f"diff-{hashlib.sha256(data).hexdigest()}" for data in layers]


LAYERS = [b"base", b"packages", b"application"]


def load(tmp_path: Path, *arguments: str) -> int:
    made = tmp_path / "layout"
    if not made.exists():
        layout(made, LAYERS)
    return main(["--layout", str(made), "--tag", "x:1", *arguments])


def sent(engine: Engine) -> list[int]:
    """How many layers each load brought."""
    return [sum(name.endswith(".tar") for name in names) for names in engine.loads]


def test_an_empty_engine_gets_all_layers(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(tmp_path) == 0
    assert sent(engine) == [3]
    assert engine.loads[0][0] == "manifest.json"
    assert "loaded x:1: 3 of 3 layers" in capsys.readouterr().out


def test_layers_that_are_there_are_left_out(engine: Engine, tmp_path: Path) -> None:
    engine.images = [["other"], [*diff_ids(LAYERS)[:2], "older application"]]
    assert load(tmp_path) == 0
    assert sent(engine) == [1]


def test_a_layer_above_a_different_one_is_sent(engine: Engine, tmp_path: Path) -> None:
    # The same layer on another base is another one for the engine.
    engine.images = [["other", *diff_ids(LAYERS)[1:]]]
    assert load(tmp_path) == 0
    assert sent(engine) == [3]


def test_an_engine_that_wants_more_gets_all(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.images = [diff_ids(LAYERS)[:2]]
    engine.answer = lambda names: (
        (200, "{}") if len(names) == 5 else (500, '{"message":"no such layer"}')
    )
    assert load(tmp_path) == 0
    assert sent(engine) == [1, 3]
    assert "Sending all layers instead" in capsys.readouterr().err


def test_full_sends_all_in_any_case(engine: Engine, tmp_path: Path) -> None:
    engine.images = [diff_ids(LAYERS)]
    assert load(tmp_path, "--full") == 0
    assert sent(engine) == [3]


@pytest.mark.parametrize(
    ("status", "text"), [(500, '{"message":"no space left"}'), (200, '{"error":"no space left"}')]
)
def test_a_refusal_is_said_in_the_engine_s_words(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, text: str
) -> None:
    engine.answer = lambda _: (status, text)
    assert load(tmp_path) == 1
    assert "no space left" in capsys.readouterr().err


def test_an_engine_that_breaks_off_is_one_sentence(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.break_off = True
    assert load(tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("load: ")


def test_no_engine_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    assert load(tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "No container engine was found" in line
    assert "DOCKER_HOST" in line


def test_an_archive_is_what_an_engine_gets(tmp_path: Path) -> None:
    assert load(tmp_path, "--output", str(tmp_path / "archive.tar")) == 0
    with tarfile.open(tmp_path / "archive.tar") as archive:
        names = archive.getnames()
        stream = archive.extractfile("manifest.json")
        assert stream is not None
        (image,) = json.loads(stream.read())
    assert image["RepoTags"] == ["x:1"]
    assert [image["Config"], *image["Layers"]] == names[1:]


def test_memory_does_not_grow_with_the_image(engine: Engine, tmp_path: Path) -> None:
    large = os.urandom(BLOCK) * 300
    made = layout(tmp_path / "large", [large])
    del large
    # In a process of its own: this one has held the layer already.
    script = (
        "import re, sys\n"
        "from oci.private.load import main\n"
        "code = main(sys.argv[1:])\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--layout", str(made), "--tag", "x:1"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert engine.peak_file == 300 * BLOCK
    kilobytes = int(done.stdout.splitlines()[-1])
    assert kilobytes < 80_000, f"{kilobytes} kB for an image of 300 MB"
