"""Sends an OCI image layout to a registry with crane (go-containerregistry), as rules_oci does.

    push --layout DIRECTORY [--repository HOST/NAME] [--tag TAG ...]

Only what the registry lacks is sent; transient errors are tried again; logins are those of `docker
login`; plain HTTP is spoken to this machine alone, unless --insecure allows it elsewhere.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# The distribution specification's grammar, less what nobody uses.
REPOSITORY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class PushError(Exception):
    """One sentence for the user."""


def crane(*arguments: str) -> None:
    program = shutil.which("crane")
    if program is None:
        raise PushError("crane is not on PATH: it is what sends images (Debian: crane).")
    done = subprocess.run([program, *arguments], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        why = lines[-1].removeprefix("Error: ")
        raise PushError(f"The registry did not take {arguments[-1]}: {why}")


def push(layout: Path, repository: str, tags: list[str], insecure: bool) -> str:
    """Push and tag; returns the reference by digest."""
    if not REPOSITORY.fullmatch(repository):
        raise PushError(f"--repository must be HOST/NAME without a tag, it is '{repository}'.")
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise PushError(f"--tag must be letters, digits, '_', '.' and '-', it is '{tag}'.")
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    reference = f"{repository}@{descriptor['digest']}"
    options = ["--insecure"] if insecure else []
    crane("push", *options, str(layout), reference)
    for tag in tags:
        crane("tag", *options, reference, tag)
    return reference


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="push", description=__doc__)
    parser.add_argument("--layout", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--default-repository", help=argparse.SUPPRESS)
    parser.add_argument("--default-tag", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("-r", "--repository", help="HOST/NAME; default: %(default)s")
    parser.add_argument("-t", "--tag", action="append", default=[], help="may be given often")
    parser.add_argument("--insecure", action="store_true", help="plain HTTP to other machines")
    options = parser.parse_args(arguments)
    repository = options.repository or options.default_repository
    tags = options.tag or options.default_tag
    try:
        reference = push(options.layout, repository, tags, options.insecure)
    except (PushError, OSError) as error:
        print(f"push: {error}", file=sys.stderr)
        return 1
    print(f"pushed {reference}" + (f" as {', '.join(tags)}" if tags else ", without a tag"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
