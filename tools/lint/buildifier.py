"""Checks all BUILD and .bzl files with buildifier: format and lint warnings.

    buildifier BUILDIFIER FILES_JSON

BUILDIFIER is the program, FILES_JSON what @build_files makes: path below the workspace -> content.
Exit code 4 when a file has to be formatted or has warnings; they are printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory


def read_files(files_json: Path) -> dict[str, str]:
    """Path below the workspace -> content."""
    files: dict[str, str] = json.loads(files_json.read_text(encoding="utf-8"))
    return files


def check(program: Path, files: Mapping[str, str]) -> int:
    """Buildifier's exit code for these contents, laid out under their own names."""
    with TemporaryDirectory() as place:
        for path, content in files.items():
            file = Path(place, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        return _run(program, ["-mode=check", "-lint=warn"], files, Path(place))


def fix(program: Path, files: Mapping[str, str], workspace: Path) -> int:
    """Format these files of the work tree and put right the warnings that can be."""
    return _run(program, ["-mode=fix", "-lint=fix"], files, workspace)


def _run(program: Path, options: list[str], files: Mapping[str, str], folder: Path) -> int:
    command = [str(program.absolute()), *options, *sorted(files)]
    return subprocess.run(command, cwd=folder, check=False).returncode


def main() -> int:
    program, files_json = map(Path, sys.argv[1:])
    status = check(program, read_files(files_json))
    if status:
        print("'./bazelw run //tools:format' formats; the rest is for you.", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
