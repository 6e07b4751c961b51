"""What `bazel run //images:release` writes, in an engine: `docker load`, and each image runs."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from tests.containers.stack import HARDENED

VERSION: str = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
IMAGES = ["api", "worker"]
INPUTS = [
    f"--{option}={path}"
    for image in IMAGES
    for option, path in (("image", f"images/{image}"), ("sbom", f"images/{image}_sbom.cdx.json"))
]


@pytest.fixture(scope="module")
def release(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder; the engine loses the images' tags afterwards."""
    folder = tmp_path_factory.mktemp("release") / "files"
    command = [str(Path("images/release").absolute()), "--draft", f"--output={folder}", *INPUTS]
    subprocess.run(command, check=True, timeout=600)
    yield folder
    for image in IMAGES:
        (folder / f"python-generator-{image}-{VERSION}.tar").unlink()
        with suppress(ImageNotFound):
            engine.images.remove(f"python-generator-{image}:{VERSION}")


@pytest.mark.parametrize("image", IMAGES)
def test_an_archive_is_loaded_and_runs(
    engine: docker.DockerClient, release: Path, image: str
) -> None:
    tag = f"python-generator-{image}:{VERSION}"
    with (release / f"python-generator-{image}-{VERSION}.tar").open("rb") as archive:
        loaded = engine.images.load(archive)
    assert [name for one in loaded for name in one.tags if name == tag] == [tag]
    output = engine.containers.run(
        tag,
        ["-m", "explanation_service.cli", "--version"],
        entrypoint="/usr/bin/python3.11",
        remove=True,
        network_disabled=True,
        **HARDENED,
    )
    assert output.decode().strip() == VERSION
