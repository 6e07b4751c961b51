"""Bazel within a test: checkouts of this workspace, each with its own output, and a cache."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.containers.stack import wait_for

# What an image is made of; nothing else may be made again by chance.
LAYER_ACTIONS = ("EmbeddingModel", "ImageLayer", "OciImage", "OciLayer")
NGINX = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  log_format bytes '$request_method $uri $status $body_bytes_sent';
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    access_log {folder}/access.log bytes;
    root {folder}/data;
    client_max_body_size 0;
    location / {{
      dav_methods PUT;
      create_full_put_path on;
    }}
  }}
}}
"""


class Cache:
    """A remote cache over HTTP: nginx, as docs/remote-cache.md sets it up."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "access.log"
        self._start = 0

    def mark(self) -> None:
        """Count what is sent from here on."""
        self._start = len(self._log.read_text())

    def sent(self) -> list[int]:
        """Bytes of each object that was sent since the mark."""
        lines = self._log.read_text()[self._start :].splitlines()
        return [
            int(line.split()[3]) for line in lines if line.startswith("GET ") and " 200 " in line
        ]


@contextmanager
def nginx(folder: Path) -> Iterator[Cache]:
    (folder / "data").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "nginx.conf"
    # Started by root it would write as nobody, who may not look into this folder.
    user = "user root;" if os.geteuid() == 0 else ""
    settings.write_text(NGINX.format(folder=folder, port=port, user=user))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "nginx is missing (Debian: nginx-light)"
    process = subprocess.Popen([program, "-c", settings, "-e", folder / "error.log"])
    try:
        cache = Cache(folder, port)

        def answers() -> bool:
            assert process.poll() is None, (folder / "error.log").read_text()
            return httpx.get(cache.url, trust_env=False).status_code in (200, 403, 404)

        wait_for(answers, 30, "nginx")
        yield cache
    finally:
        process.terminate()
        process.wait()
        # Gigabytes, which pytest would keep.
        shutil.rmtree(folder / "data")


def source_tree() -> Path:
    """The workspace that this test was built from."""
    return Path("MODULE.bazel").resolve().parent


class Checkout:
    """A copy of the workspace's files with an output folder of its own."""

    def __init__(self, folder: Path, timezone: str, umask: int) -> None:
        self.folder = folder / "checkout"
        self._output = folder / "output"
        self._umask = umask
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BAZEL_", "RUNFILES", "TEST_", "PYTHON", "XML_", "COVERAGE"))
        } | {"TZ": timezone}
        source = source_tree()
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={source}", "-C", source, "ls-files", "-z"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            # A file that was deleted and not committed yet is not there any more.
            if (source / name).is_file():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, target)

    def _bazel(self, *arguments: str) -> None:
        startup = [f"--output_user_root={self._output}", "--max_idle_secs=60"]
        rc = self.folder / "tools/airgap/airgap.bazelrc"
        if os.environ["BUILD_LANE"] == "airgap":
            startup.append(f"--bazelrc={rc}")
        done = subprocess.run(
            ["bazel", *startup, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=900,
            umask=self._umask,
        )
        assert done.returncode == 0, done.stderr[-6000:]
        self.said = done.stderr

    def build(self, *targets: str, cache: str | None = None, flags: tuple[str, ...] = ()) -> None:
        """Build; what ran is then in `actions`."""
        log = self._output.parent / "execution.json"
        options = ["--config=ci", f"--execution_log_json_file={log}", *flags]
        if cache:
            options.append(f"--remote_cache={cache}")
        self._bazel("build", *options, *targets)
        self.actions = list(_objects(log))

    def digest(self, image: str) -> str:
        """What the last build says that the image's digest is."""
        found = list(self._output.glob(f"*/execroot/_main/bazel-out/*/bin/images/{image}.sha256"))
        (file,) = [path for path in found if "-opt-exec-" not in str(path)]
        return file.read_text().strip()

    def ran(self) -> Counter[tuple[str, str]]:
        """Mnemonic and target of the actions that were executed, not taken from a cache."""
        return Counter(
            (action["mnemonic"], action["targetLabel"])
            for action in self.actions
            if not action.get("cacheHit")
        )

    def hits(self) -> Counter[str]:
        """By mnemonic: actions that the remote cache answered."""
        return Counter(
            action["mnemonic"]
            for action in self.actions
            if action.get("runner") == "remote cache hit"
        )

    def remote_hits_said(self) -> int:
        """The number in Bazel's own last line about its processes."""
        found = re.findall(r"(\d+) remote cache hit", self.said)
        return int(found[-1]) if found else 0

    def append(self, name: str, text: str) -> None:
        with (self.folder / name).open("a") as stream:
            stream.write(text)

    def close(self) -> None:
        """End the server and delete what it made, read-only as that is."""
        self._bazel("shutdown")
        for path, folders, _ in os.walk(self._output):
            for name in folders:
                folder = Path(path, name)
                if not folder.is_symlink():
                    folder.chmod(0o700)
        shutil.rmtree(self._output)


def _objects(log: Path) -> Iterator[dict[str, Any]]:
    """The execution log: JSON objects one after the other."""
    decoder, text, position = json.JSONDecoder(), log.read_text(), 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        while position < len(text) and text[position].isspace():
            position += 1
