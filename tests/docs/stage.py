"""A machine on which the commands of the pages mean what they say: a home, a checkout, programs.

`./bazelw run TARGET` starts the target's module under this interpreter, and `docker compose exec
SERVICE` its command right here, in the environment of the service's stores. curl is the real one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment

# Target -> the module that its program runs.
MODULES = {
    "//:api": "explanation_service.api",
    "//:explanation": "explanation_service.cli",
    "//:standalone": "explanation_service.standalone",
    "//:worker": "explanation_service.indexing",
    "//src/explanation_service/api:openapi": "explanation_service.api.openapi",
    "//tests/yandexgpt_fake:server": "yandexgpt_fake",
}
_CASES = "\n".join(f"  {target}) module={module} ;;" for target, module in MODULES.items())
_BAZELW = f"""
[[ "$1" == run ]]
case "$2" in
{_CASES}
  *) echo "no program of this target here: $2" >&2; exit 64 ;;
esac
shift 2
[[ $# == 0 || "$1" != -- ]] || shift
exec "$PYTHON" -m "$module" "$@"
"""
_PROGRAMS = {
    "bin/dead-letters": 'exec "$PYTHON" -m explanation_service.cli dead-letters "$@"',
    "bin/doctor": 'exec "$PYTHON" -m explanation_service.cli doctor "$@"',
    "bin/reconcile": 'exec "$PYTHON" -m explanation_service.cli reconcile "$@"',
    "bin/explanation": 'exec "$PYTHON" -m explanation_service.cli "$@"',
    "bin/docker": '[[ "$1 $2" == "compose exec" ]]; shift 4; exec "$PYTHON" "$@"',
    "checkout/bazelw": _BAZELW,
}
# Standing for themselves on the pages; here each is a free port.
_PORTS = ("8080", "8081", "8082", "8083", "8090")
_API = ("8000", "PORT")
_RULE = '{"id": "tire", "title": "Тире", "body": "Между подлежащим и сказуемым ставится тире."}\n'
# Also errors of HTTP are failures of a command. Nobody's proxy is asked.
_CURLRC = 'fail-with-body\nsilent\nnoproxy = "*"\nmax-time = 60\n'


class Stage:
    def __init__(self, folder: Path, model: Path) -> None:
        self.home = folder
        self.checkout = folder / "checkout"
        self.data = folder / ".local" / "share" / "explanation-service"
        self._ports = dict(zip(_PORTS, map(str, free_ports(len(_PORTS))), strict=True))
        self._ports |= dict.fromkeys(_API, self._ports["8080"])
        for name, script in _PROGRAMS.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{script}\n")
            path.chmod(0o755)
        shutil.copy(".env.example", self.checkout)
        shutil.copytree("deploy", self.checkout / "deploy")
        (self.checkout / "rules.jsonl").write_text(_RULE, encoding="utf-8")
        (folder / ".curlrc").write_text(_CURLRC)
        self.environment = {
            **python_environment(),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "HOME": str(folder),
            "CURL_HOME": str(folder),
            "EMBEDDING_MODEL_PATH": str(model),
            "API": self.here("http://localhost:8080"),
            "KEY": "any",
            "ADMIN": "any",
            # Where a command names no port.
            "API_PORT": self._ports["8082"],
            "WORKER_PORT": self._ports["8083"],
        }

    def here(self, text: str) -> str:
        """With the ports of this machine."""
        names = "|".join(self._ports)
        return re.sub(
            rf"(?<=localhost:)({names})\b|(?<=127\.0\.0\.1:)({names})\b"
            rf"|(?<=--port )({names})\b|(?<=API_PORT=)({names})\b",
            lambda found: self._ports[found[0]],
            text.replace("DATA_DIR", str(self.data)),
        )

    def use_stores(self) -> None:
        """What runs from now on knows the stores of the service, as its containers would, and
        need not compile what the service has compiled."""
        self.environment |= python_environment(self.data / "bytecode")
        for line in (self.data / "run" / "stores.env").read_text().splitlines():
            name, _, value = line.partition("=")
            self.environment[name] = value.strip("'\"")
        for name, literal in (
            ("MONGODB_URI", "27017"),
            ("REDIS_URL", "6379"),
            ("QDRANT_URL", "6333"),
        ):
            self._ports[literal] = str(urlsplit(self.environment[name]).port)

    def run(self, *commands: str) -> str:
        """What the commands print, one after the other in one shell. Fails where one does."""
        script = self.here("\n".join(commands))
        call = self._call(script)
        done = subprocess.run(**call, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, f"{script}\n{done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self, url: str, *commands: str, seconds: float) -> Iterator[None]:
        """While the last of the commands serves, once `url` answers 200."""
        script = self.here("\n".join(commands))
        output = self.home / "output"
        with output.open("w") as log:
            process = subprocess.Popen(
                **self._call(script), stdout=log, stderr=log, start_new_session=True
            )
        try:
            deadline = time.monotonic() + seconds
            while not _answers(self.here(url)):
                assert process.poll() is None, f"{script}\n{output.read_text()}"
                assert time.monotonic() < deadline, f"{script}\n{output.read_text()[-3000:]}"
                time.sleep(0.1)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)

    def _call(self, script: str) -> dict[str, Any]:
        return {
            "args": ["bash", "-euo", "pipefail", "-c", script],
            "cwd": self.checkout,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
        }


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url, timeout=10, trust_env=False).status_code == 200
    return False
