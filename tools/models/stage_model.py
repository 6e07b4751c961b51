"""Check a local sentence-transformers directory and copy it as a build artefact.

    stage_model --source LOCAL_DIR --output DIR [--name NAME]

For a model that somebody has already downloaded; nothing is fetched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.models.model_directory import (
    INFO_FILE,
    ModelDirectoryError,
    ModelInfo,
    check_directory,
    write_info,
)


def stage(source: Path, output: Path, name: str | None = None) -> ModelInfo:
    """Copy the model at `source` into `output`, which must be empty or absent.

    A symlink to a file becomes the file: a snapshot in the Hugging Face cache is nothing but links
    into a folder that the image will not have. Hidden files are the downloader's own and stay
    behind. `name` defaults to the name of the source directory.

    Raises ModelDirectoryError if the directory is not usable, FileExistsError if `output` has
    content.
    """
    check_directory(source)
    if output.resolve().is_relative_to(source.resolve()):
        raise ModelDirectoryError(f"{output}: lies within the source")
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output}: not empty")
    for relative in sorted(_files(source)):
        target = output / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / relative, target)
    return write_info(output, name or source.resolve().name)


def _files(source: Path) -> Iterator[Path]:
    """Yield the relative path of every file to copy."""
    for folder, directories, files in os.walk(source):
        at = Path(folder)
        directories[:] = [name for name in directories if not name.startswith(".")]
        for name in directories:
            # Following it could leave the model or run in a circle.
            if (at / name).is_symlink():
                raise ModelDirectoryError(f"{at / name}: a symlink to a directory")
        for name in files:
            path = at / name
            relative = path.relative_to(source)
            if name.startswith(".") or relative == Path(INFO_FILE):
                continue
            if not path.is_file():
                raise ModelDirectoryError(f"{path}: a broken symlink or not a regular file")
            yield relative


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--source", type=Path, required=True, help="sentence-transformers directory"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory, empty or absent")
    parser.add_argument("--name", help="model name (default: name of the source directory)")
    options = parser.parse_args(arguments)
    try:
        info = stage(options.source, options.output, options.name)
    except (OSError, ValueError) as error:
        print(f"stage_model: {error}", file=sys.stderr)
        return 1
    print(f"{info.name} revision {info.revision}, {info.dimension} dimensions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
