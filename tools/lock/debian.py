"""Writes tools/debian/packages.lock.json from packages.json and the signed index of the release.

./bazelw run //tools/lock:debian
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def resolve(
    folder: Path, release: str, architecture: str, names: list[str]
) -> list[dict[str, str]]:
    """The candidate of each package in apt's index; ends with a sentence if one is missing."""
    command = [str(folder / "resolve.sh"), release, architecture, *names]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = output.splitlines()
    fields = ("name", "version", "architecture", "archive", "path", "sha256")
    packages = [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]
    missing = set(names) - {package["name"] for package in packages}
    if missing:
        raise SystemExit(f"{release} {architecture} has no package {', '.join(sorted(missing))}")
    return sorted(packages, key=lambda package: package["name"])


def main() -> int:
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    folder = workspace / "tools" / "debian"
    wanted = json.loads((folder / "packages.json").read_text())
    locked: dict[str, list[dict[str, str]]] = {}
    for architecture in wanted["architectures"]:
        print(f"resolving {wanted['release']} {architecture}", file=sys.stderr)
        locked[architecture] = resolve(
            folder,
            wanted["release"],
            architecture,
            [
                name
                for group in ("interpreter", "image_base", "services", "tests")
                for name in wanted[group]
            ],
        )
    lock = {"release": wanted["release"], "packages": locked}
    (folder / "packages.lock.json").write_text(json.dumps(lock, indent=2) + "\n")
    count = sum(len(packages) for packages in locked.values())
    print(f"packages.lock.json: {count} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
