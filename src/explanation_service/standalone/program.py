"""What is to be run, apart from its being run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import cache_from_source, find_spec
from pathlib import Path

from explanation_service.standalone.probes import Probe


@dataclass(frozen=True)
class Program:
    """One child. `environment` is laid over ours; `ready` is asked from a thread.

    `stop_seconds` is how long it may take to end after SIGTERM; `nudge` is called now and then
    meanwhile, for a server that notices its end only with the next connection. `busy_marks` are
    texts in the log of a start that failed because the run before it has not let go yet.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    working_directory: Path
    ready: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 2.0
    nudge: Probe | None = None
    busy_marks: tuple[str, ...] = ()


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """By module and interpreter, never by a script: a Bazel runfiles tree has no bin folder."""
    return (sys.executable, "-m", module, *arguments)


def python_environment(bytecode: Path | None = None) -> dict[str, str]:
    """What makes a child see the modules that this process sees, and nothing else.

    Nothing is ever written into the packages' own folders. Where they come without bytecode (a
    Bazel runfiles tree), it is kept in `bytecode`: to compile torch anew takes many seconds.
    """
    path = [os.path.abspath(entry) if entry else os.getcwd() for entry in sys.path]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        # Else `-m` puts the working directory, which holds data, in front of everything.
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        **_bytecode_environment(bytecode),
    }


def _bytecode_environment(bytecode: Path | None) -> dict[str, str]:
    if bytecode is None or _packages_are_compiled():
        return {"PYTHONDONTWRITEBYTECODE": "1"}
    # An empty variable counts as absent.
    return {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}


def _packages_are_compiled() -> bool:
    """Judged by the largest of them."""
    spec = find_spec("torch")
    return spec is None or spec.origin is None or Path(cache_from_source(spec.origin)).exists()
