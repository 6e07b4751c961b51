"""The release on made-up images: files, checksums, what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tools.image.release import SUMS, main

COMMIT = "0123456789abcdef"


def layout(folder: Path, name: str, version: str = "1.2.3", revision: str | None = COMMIT) -> Path:
    """An OCI layout with two layers, the first of them twice, and a blob that belongs to nobody."""
    blobs = folder / name / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    labels = {"title": name, "version": version} | ({"revision": revision} if revision else {})
    config = add(
        json.dumps(
            {"config": {"Labels": {f"org.opencontainers.image.{k}": v for k, v in labels.items()}}}
        ).encode()
    )
    layers = [add(b"base" * 1000), add(name.encode() * 3000)]
    add(b"of an earlier build")
    manifest = add(json.dumps({"config": config, "layers": [*layers, layers[0]]}).encode())
    (folder / name / "index.json").write_text(json.dumps({"manifests": [manifest]}))
    return folder / name


def sbom(folder: Path, name: str, version: str = "1.2.3") -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"metadata": {"component": {"name": name, "version": version}}}))
    return file


def release(
    folder: Path, output: Path, *options: str, revision: str | None = COMMIT, sbom_of: str = "1.2.3"
) -> int:
    if not (folder / "api").exists():
        for name in ("api", "worker"):
            layout(folder, name, revision=revision)
            sbom(folder, name, sbom_of)
    inputs = [
        f"--{kind}={folder / name}{ending}"
        for kind, ending in (("image", ""), ("sbom", ".json"))
        for name in ("api", "worker")
    ]
    return main([f"--output={output}", *options, *inputs])


def test_writes_archives_bills_of_materials_and_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "release"
    assert release(tmp_path, output) == 0
    assert sorted(file.name for file in output.iterdir()) == [
        SUMS,
        "api-1.2.3.cdx.json",
        "api-1.2.3.tar",
        "worker-1.2.3.cdx.json",
        "worker-1.2.3.tar",
    ]
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=output, check=True)
    assert len((output / SUMS).read_text().splitlines()) == 4
    assert "Version 1.2.3" in capsys.readouterr().out


def test_an_archive_is_for_docker_and_an_oci_layout(tmp_path: Path) -> None:
    assert release(tmp_path, tmp_path / "out") == 0
    with tarfile.open(tmp_path / "out" / "worker-1.2.3.tar") as archive:
        contents = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    (image,) = json.loads(contents["manifest.json"])
    assert image["RepoTags"] == ["worker:1.2.3"]
    assert [contents[layer] for layer in image["Layers"]] == [
        b"base" * 1000,
        b"worker" * 3000,
        b"base" * 1000,
    ]
    assert json.loads(contents[image["Config"]])["config"]["Labels"]
    assert json.loads(contents["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (manifest,) = json.loads(contents["index.json"])["manifests"]
    assert manifest["annotations"]["io.containerd.image.name"] == "docker.io/library/worker:1.2.3"
    for name, content in contents.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    assert manifest["digest"].replace("sha256:", "blobs/sha256/") in contents
    assert b"of an earlier build" not in contents.values()


def test_equal_images_make_equal_files(tmp_path: Path) -> None:
    assert release(tmp_path, tmp_path / "one") == 0
    assert release(tmp_path, tmp_path / "two") == 0
    assert (tmp_path / "one" / SUMS).read_bytes() == (tmp_path / "two" / SUMS).read_bytes()


def test_a_relative_folder_is_where_bazel_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(tmp_path))
    assert release(tmp_path, Path("here")) == 0
    assert (tmp_path / "here" / SUMS).exists()


@pytest.mark.parametrize("revision", [None, COMMIT + "-dirty"])
def test_what_no_commit_has_is_a_draft_only(
    tmp_path: Path, revision: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(tmp_path, tmp_path / "out", revision=revision) == 1
    assert "--config=release" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert release(tmp_path, tmp_path / "out", "--draft") == 0


def test_refuses_a_bill_of_materials_of_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(tmp_path, tmp_path / "out", sbom_of="1.2.2") == 1
    assert "another version" in capsys.readouterr().err


def test_refuses_images_of_several_versions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout(tmp_path, "api")
    sbom(tmp_path, "api")
    layout(tmp_path, "worker", version="1.2.4")
    sbom(tmp_path, "worker", version="1.2.4")
    assert release(tmp_path, tmp_path / "out") == 1
    assert "several versions" in capsys.readouterr().err


def test_refuses_a_folder_with_something_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other").touch()
    assert release(tmp_path, tmp_path / "out") == 1
    assert "not empty" in capsys.readouterr().err


def test_a_broken_blob_leaves_no_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = layout(tmp_path, "api")
    sbom(tmp_path, "api")
    layout(tmp_path, "worker")
    sbom(tmp_path, "worker")
    blob = broken / "blobs" / "sha256" / hashlib.sha256(b"base" * 1000).hexdigest()
    blob.write_bytes(b"case" * 1000)
    assert release(tmp_path, tmp_path / "out") == 1
    assert "not what its name says" in capsys.readouterr().err
    assert not (tmp_path / "out" / SUMS).exists()
