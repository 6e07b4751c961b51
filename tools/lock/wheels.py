"""Writes requirements_lock.txt from pyproject.toml: every wheel, its hashes, who asked for it.

    ./bazelw run //tools/lock:wheels [-- --upgrade]

pip resolves, with the index, links and proxies that it is set up for on this machine; the lock
names no host. `# via` lines are the dependency edges of the build (tools/wheels/lock.bzl).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "explanation-service"
# Newest first; the images' glibc is 2.36. One list for resolving and for fetching (wheel.bzl).
GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)


def platform_tags(machine: str) -> list[str]:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    return [*tags, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"linux_{machine}"]


def resolve(requirements: list[str], machine: str, python: str, pins: list[str]) -> list[dict]:
    """pip's installation report, one entry a wheel; raises SystemExit with pip's own words."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(pins) + "\n")
        report = Path(folder, "report.json")
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
            "--only-binary=:all:", "--python-version", python, "--implementation", "cp",
            "--abi", f"cp{python.replace('.', '')}", "--abi", "abi3", "--abi", "none",
            "--target", folder, "--report", str(report), "--constraint", str(constraints),
        ]  # fmt: skip
        for tag in platform_tags(machine):
            command += ["--platform", tag]
        if subprocess.run([*command, *requirements], check=False).returncode:
            raise SystemExit(f"pip could not resolve the requirements for {machine}; see above.")
        return json.loads(report.read_text())["install"]


def wheel_hash(entry: dict) -> str:
    """sha256 of a report entry; a wheel from a local folder has none there and is read."""
    info = entry["download_info"]
    digest = info.get("archive_info", {}).get("hashes", {}).get("sha256")
    if digest:
        return digest
    return hashlib.sha256(Path(unquote(urlparse(info["url"]).path)).read_bytes()).hexdigest()


def edges(entries: list[dict], requested: list[str], machine: str) -> dict[str, set[str]]:
    """Package -> packages that require it, extras of a package taken together."""
    environment = {
        "platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux",
        "os_name": "posix", "python_version": "3.11",
        "python_full_version": platform.python_version(),
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    requires = {
        canonicalize_name(entry["metadata"]["name"]): entry["metadata"].get("requires_dist", [])
        for entry in entries
    }
    requires[ROOT] = requested
    extras: dict[str, set[str]] = {ROOT: {""}}
    via: dict[str, set[str]] = defaultdict(set)
    known = -1
    # An extra found late opens requirements of a package already visited: repeat until stable.
    while known != (known := sum(map(len, extras.values())) + sum(map(len, via.values()))):
        for parent in list(extras):
            for requirement in map(Requirement, requires[parent]):
                marker = requirement.marker
                if marker and not any(
                    marker.evaluate({**environment, "extra": extra}) for extra in extras[parent]
                ):
                    continue
                name = canonicalize_name(requirement.name)
                extras.setdefault(name, {""}).update(requirement.extras)
                via[name].add(parent)
    return via


def locked_pins(lock: Path) -> list[str]:
    """name==version of the present lock, so that an update moves only what it must."""
    if not lock.exists():
        return []
    return re.findall(r"^([a-z0-9.-]+==[^\s+]+)", lock.read_text(), re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move everything to the newest")
    upgrade = parser.parse_args().upgrade
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    lock = workspace / "requirements_lock.txt"
    pyproject = tomllib.loads((workspace / "pyproject.toml").read_text())
    project, options = pyproject["project"], pyproject["tool"]["explanation-lock"]
    pins = list(options["constraints"]) + ([] if upgrade else locked_pins(lock))
    pins = list({re.split("==", pin)[0]: pin for pin in reversed(pins)}.values())

    versions: dict[str, str] = {}
    hashes: dict[str, set[str]] = defaultdict(set)
    via: dict[str, set[str]] = defaultdict(set)
    for machine in ("x86_64", "aarch64"):
        requested = list(project["dependencies"])
        for extra in options[machine]:
            requested += project["optional-dependencies"][extra]
        print(f"resolving {len(requested)} requirements for {machine}", file=sys.stderr)
        entries = resolve(requested, machine, options["python"], pins)
        for entry in entries:
            name = canonicalize_name(entry["metadata"]["name"])
            version = entry["metadata"]["version"]
            if versions.setdefault(name, version) != version:
                raise SystemExit(f"{name} resolves to {versions[name]} and {version}; pin it.")
            hashes[name].add(wheel_hash(entry))
        for name, parents in edges(entries, requested, machine).items():
            via[name] |= parents
        pins = [f"{name}=={version.split('+')[0]}" for name, version in versions.items()]

    lines = ["# Made by `./bazelw run //tools/lock:wheels` from pyproject.toml; do not edit."]
    for name in sorted(versions):
        digests = sorted(hashes[name])
        lines.append(f"{name}=={versions[name]} \\")
        lines += [f"    --hash=sha256:{digest} \\" for digest in digests[:-1]]
        lines.append(f"    --hash=sha256:{digests[-1]}")
        lines += [f"    # via {parent}" for parent in sorted(via[name])]
    lock.write_text("\n".join(lines) + "\n")
    print(f"requirements_lock.txt: {len(versions)} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
