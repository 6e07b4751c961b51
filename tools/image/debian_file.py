"""One file of a Debian package, as a program for the build: debian_file.py PACKAGE PATH OUTPUT."""

from __future__ import annotations

import shutil
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from tools.image.debian_package import ar_members


def extract_file(package: Path, path: str, output: Path) -> None:
    """Write the regular file `path` (without a leading slash) to `output`, with its mode. Raises
    ValueError where the package has none of that name."""
    for name, data in ar_members(package):
        if not name.startswith("data.tar"):
            continue
        with tarfile.open(fileobj=BytesIO(data)) as archive:
            for member in archive:
                if member.name.removeprefix("./") == path and member.isfile():
                    content = archive.extractfile(member)
                    assert content is not None
                    with output.open("wb") as written:
                        shutil.copyfileobj(content, written)
                    output.chmod(member.mode)
                    return
    raise ValueError(f"{package.name} has no file {path}")


def main(arguments: list[str]) -> int:
    package, path, output = arguments
    try:
        extract_file(Path(package), path, Path(output))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
