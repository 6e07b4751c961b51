"""A copy of bazelw among stand-in commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Checkout:
    """A copy of bazelw and its parts, with a folder of stand-in commands in front of PATH."""

    def __init__(self, folder: Path) -> None:
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.workspace = folder / "workspace"
        (self.workspace / "tools").mkdir(parents=True)
        for part in ("tools/airgap", "tools/ci", "tools/lint"):
            shutil.copytree(part, self.workspace / part)
        for name in ("bazelw", ".bazelversion", "MODULE.bazel"):
            shutil.copy(name, self.workspace / name)
        self.cache = folder / "cache"

    def command(self, name: str, body: str) -> None:
        path = self.commands / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.workspace / "bazelw", *arguments],
            env={
                "PATH": f"{self.commands}:{SYSTEM_PATH}",
                "HOME": str(self.cache),
                "EXPLANATION_CACHE": str(self.cache),
                "EXPLANATION_ENGINE": "none",
                "EXPLANATION_BUILDIFIER": "none",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def one_sentence(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("bazelw: ")]
    assert len(lines) == 1, stderr
    assert lines[0].endswith(".")
    return lines[0]
