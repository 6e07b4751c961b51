"""Unpacks a wheel into a site-packages directory with unchecked-hash bytecode.

    unpack WHEEL DIRECTORY

Deterministic: the same wheel and interpreter give the same bytes. Follows the wheel format's
install steps (packaging.python.org, "Binary distribution format"), less what no build needs.
"""

from __future__ import annotations

import py_compile
import stat
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

# Headers, static libraries and test suites: no program opens them, and each file costs time in
# every sandbox and bytes in every image. torch alone carries 9,000 headers.
LEFT_OUT = (
    "torch/include/*",
    "torch/share/cmake/*",
    "torch/test/*",
    "*.a",
    "*/tests/*.py",
    "numpy/*/tests/*",
    "scipy/*/tests/*",
    "sklearn/*/tests/*",
    "sympy/*/tests/*",
)
# Packages whose `tests` modules are part of what they do.
KEPT = ("numpy/testing/*", "hypothesis/*", "pytest*", "_pytest/*")


def destination(name: str) -> PurePosixPath | None:
    """Where a wheel's member goes below site-packages; None: nowhere."""
    path = PurePosixPath(name)
    if path.parts[0].endswith(".data"):
        # NAME.data/purelib and platlib are site-packages; scripts go where `pip install --target`
        # puts them, which is where ruff looks for its binary; headers and data are not needed.
        if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib", "scripts"):
            return None
        folder = ("bin",) if path.parts[1] == "scripts" else ()
        path = PurePosixPath(*folder, *path.parts[2:])
    text = str(path)
    if any(fnmatch(text, pattern) for pattern in LEFT_OUT) and not any(
        fnmatch(text, pattern) for pattern in KEPT
    ):
        return None
    return path


def unpack(wheel: Path, target: Path) -> None:
    """Raises ValueError for a member that would leave the target."""
    with zipfile.ZipFile(wheel) as archive:
        for member in sorted(archive.infolist(), key=lambda info: info.filename):
            if member.is_dir():
                continue
            relative = destination(member.filename)
            if relative is None:
                continue
            if relative.is_absolute() or ".." in relative.parts:
                raise ValueError(f"{wheel.name} has the member {member.filename} outside its tree")
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as sink:
                while block := source.read(1 << 20):
                    sink.write(block)
            executable = (member.external_attr >> 16) & stat.S_IXUSR or relative.parts[0] == "bin"
            path.chmod(0o755 if executable else 0o644)


def compile_bytecode(target: Path) -> None:
    """Compiles what compiles: wheels may carry templates or syntax of other versions."""
    for source in sorted(target.rglob("*.py")):
        try:
            py_compile.compile(
                str(source),
                # The name in tracebacks must not depend on where the build ran.
                dfile=str(source.relative_to(target)),
                doraise=True,
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError):
            continue


def main() -> int:
    wheel, target = Path(sys.argv[1]), Path(sys.argv[2])
    unpack(wheel, target)
    compile_bytecode(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
