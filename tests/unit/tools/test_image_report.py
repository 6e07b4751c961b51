"""The report on made-up images: sums, what is shared, the picture."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.image.report import main, package_of, read_image


def layer(files: dict[str, int]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, size in files.items():
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    return target.getvalue()


BASE = layer({"usr/lib/x/libc.so": 3000, "etc/passwd": 10})
PACKAGES = layer(
    {
        "usr/local/lib/python3.11/dist-packages/fastapi/a.py": 2000,
        "usr/local/lib/python3.11/dist-packages/redis/b.py": 1000,
    }
)


def layout(folder: Path, layers: list[bytes]) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifest = {"config": add(b"{}"), "layers": [add(data) for data in layers]}
    index = {"manifests": [add(json.dumps(manifest).encode())]}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def layouts(tmp_path: Path) -> list[str]:
    return [
        str(layout(tmp_path / "one", [BASE, layer({"app/x.py": 7})])),
        str(layout(tmp_path / "two", [BASE, PACKAGES, layer({"app/y.py": 8})])),
    ]


def test_sums_are_those_of_the_files(layouts: list[str]) -> None:
    image = read_image(Path(layouts[1]))
    assert [one.name for one in image.layers] == ["base", "third-party", "application"]
    assert [one.on_disk for one in image.layers] == [3010, 3000, 8]
    assert image.layers[1].packages == {"fastapi": 2000, "redis": 1000}
    assert image.pulled == image.around + sum(one.pulled for one in image.layers)


def test_shared_layers_and_the_price_of_an_edit_are_said(
    layouts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(layouts) == 0
    text = capsys.readouterr().out
    assert text.count("  shared") == 2
    assert text.count("an edit of its own source is pulled as") == 2
    assert "2.0 kB  fastapi" in text


def test_the_picture_is_well_formed(layouts: list[str], tmp_path: Path) -> None:
    target = tmp_path / "picture.svg"
    assert main([*layouts, "--svg", str(target)]) == 0
    root = ElementTree.parse(target).getroot()
    bars = [one for one in root.iter() if one.tag.endswith("rect")]
    # The ground, five layers in two bars, four different ones explained.
    assert len(bars) == 1 + 5 + 4


def test_a_folder_that_is_no_layout_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no OCI image layout"):
        main([str(tmp_path)])


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("usr/local/lib/python3.11/dist-packages/fastapi/x.py", "fastapi"),
        ("usr/local/lib/python3.11/dist-packages/six-1.0.dist-info/METADATA", "six"),
        ("app/explanation_service/x.py", "/app"),
        ("usr/lib/python3.11/os.py", "/usr/lib/python3.11"),
    ],
)
def test_files_belong_to_packages_or_folders(path: str, package: str) -> None:
    assert package_of(path) == package
