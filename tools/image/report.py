"""Says what images consist of: layers, sizes, what they share, their largest packages.

    report LAYOUT_DIRECTORY... [--svg FILE] [--packages N]

Reads OCI image layouts. Sizes: "pulled" is what a registry sends (compressed), "on disk" the files.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

SITE_PACKAGES = "usr/local/lib/python3.11/dist-packages/"
# The picture: pixels.
WIDTH, ROW, LEFT, RIGHT = 960, 34, 150, 270
COLOURS = ("#4c78a8", "#72b7b2", "#54a24b", "#eeca3b", "#f58518", "#b279a2", "#e45756", "#9d755d")


@dataclass(frozen=True)
class Layer:
    name: str
    digest: str
    pulled: int
    on_disk: int
    files: int
    packages: Counter[str]


@dataclass(frozen=True)
class Image:
    name: str
    layers: list[Layer]
    around: int
    """Bytes of the manifest and the configuration, which every change renews."""

    @property
    def pulled(self) -> int:
        return self.around + sum(layer.pulled for layer in self.layers)

    @property
    def on_disk(self) -> int:
        return sum(layer.on_disk for layer in self.layers)


def package_of(path: str) -> str:
    """What a file belongs to: a third-party package, or its folder."""
    if path.startswith(SITE_PACKAGES):
        name = path.removeprefix(SITE_PACKAGES).split("/")[0]
        return name.split("-")[0] if name.endswith(".dist-info") else name
    parts = path.split("/")
    return "/" + "/".join(parts[: 1 if parts[0] in ("app", "model") else 3])


def contents(blob: Path) -> tuple[int, int, Counter[str]]:
    """Bytes on disk, number of files, bytes by package."""
    packages: Counter[str] = Counter()
    files = 0
    with tarfile.open(blob) as archive:
        for member in archive:
            if member.isfile():
                files += 1
                packages[package_of(member.name)] += member.size
    return packages.total(), files, packages


def name_of(packages: Counter[str]) -> str:
    """A layer's name after what most of it is."""
    if not packages:
        return "empty"
    if "torch" in packages:
        return "ML packages"
    if "/model" in packages:
        return "model"
    if any(not package.startswith("/") for package in packages):
        return "third-party"
    if "/app" in packages:
        return "application"
    return "interpreter" if "/usr/lib/python3.11" in packages else "base"


def read_image(layout: Path) -> Image:
    """Raises SystemExit with a sentence for a folder that is no layout."""

    def blob(digest: str) -> Path:
        return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    try:
        index = json.loads((layout / "index.json").read_text())
    except OSError as error:
        raise SystemExit(f"{layout} is no OCI image layout: {error.strerror}.") from error
    descriptor = index["manifests"][0]
    manifest: dict[str, Any] = json.loads(blob(descriptor["digest"]).read_text())
    layers: list[Layer] = []
    for one in manifest["layers"]:
        on_disk, files, packages = contents(blob(one["digest"]))
        layers.append(
            Layer(name_of(packages), one["digest"], one["size"], on_disk, files, packages)
        )
    return Image(layout.name, layers, descriptor["size"] + manifest["config"]["size"])


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def report(images: list[Image], largest: int) -> str:
    holders = Counter(layer.digest for image in images for layer in image.layers)
    lines = []
    for image in images:
        lines += [
            f"{image.name}: {megabytes(image.pulled)} pulled, {megabytes(image.on_disk)} on disk",
            f"  {'layer':<14}{'pulled':>12}{'on disk':>12}{'files':>9}  digest",
        ]
        for layer in image.layers:
            shared = "  shared" if holders[layer.digest] > 1 else ""
            sizes = f"{megabytes(layer.pulled):>12}{megabytes(layer.on_disk):>12}"
            digest = layer.digest.removeprefix("sha256:")[:12]
            lines.append(f"  {layer.name:<14}{sizes}{layer.files:>9,}  {digest}{shared}")
        edit = image.layers[-1].pulled + image.around
        lines += [
            f"  an edit of its own source is pulled as {megabytes(edit)}"
            " (last layer, configuration, manifest)",
            "",
        ]
    seen: set[str] = set()
    for layer in (layer for image in images for layer in image.layers):
        if layer.digest in seen or len(layer.packages) < 2:
            continue
        seen.add(layer.digest)
        lines.append(f"largest of {layer.name} ({layer.digest[7:19]})")
        for name, size in layer.packages.most_common(largest):
            lines.append(f"  {megabytes(size):>12}  {name}")
        lines.append("")
    return "\n".join(lines)


def picture(images: list[Image]) -> str:
    """An SVG: one bar an image, its layers side by side as large as they are pulled."""
    scale = (WIDTH - LEFT - RIGHT) / max(image.pulled for image in images)
    digests = list(dict.fromkeys(layer.digest for image in images for layer in image.layers))
    colour = {digest: COLOURS[number % len(COLOURS)] for number, digest in enumerate(digests)}
    layers = {layer.digest: layer for image in images for layer in image.layers}
    height = ROW * len(images) + (ROW - 8) * len(digests) + 90
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="20" y="30" font-size="17">What a registry sends, by layer</text>',
    ]
    y = 50
    for image in images:
        x = float(LEFT)
        out.append(f'<text x="20" y="{y + 20}">{escape(image.name)}</text>')
        for layer in image.layers:
            width = layer.pulled * scale
            out.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="{ROW - 8}" '
                f'fill="{colour[layer.digest]}"/>'
            )
            x += width
        out.append(f'<text x="{x + 8:.1f}" y="{y + 18}">{megabytes(image.pulled)}</text>')
        y += ROW
    y += 20
    for digest in digests:
        layer = layers[digest]
        holders = [image.name for image in images if digest in {one.digest for one in image.layers}]
        out.append(
            f'<rect x="20" y="{y}" width="18" height="18" fill="{colour[digest]}"/>'
            f'<text x="48" y="{y + 14}">{escape(layer.name)} ({", ".join(holders)}): '
            f"{megabytes(layer.pulled)} pulled, {megabytes(layer.on_disk)} on disk</text>"
        )
        y += ROW - 8
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("layouts", nargs="+", type=Path, metavar="LAYOUT_DIRECTORY")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture, too")
    parser.add_argument("--packages", type=int, default=20, metavar="N", help="largest a layer")
    options = parser.parse_args(arguments)
    images = [read_image(layout) for layout in options.layouts]
    print(report(images, options.packages))
    if options.svg:
        # Started by `bazel run`, the program is elsewhere than its user.
        target = Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / options.svg
        target.write_text(picture(images))
        print(f"picture: {target}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
