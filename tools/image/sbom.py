"""Writes an image's bill of materials (CycloneDX 1.6, JSON) from its packages and the locks.

    sbom REQUEST_JSON OUTPUT_CDX_JSON

Deterministic: no clock, and the serial number is made from the content. A package whose archive is
not the locked one (a Debian mirror had only a newer one) is listed as what it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from io import BytesIO
from pathlib import Path
from tarfile import TarFile
from tarfile import open as open_tar
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from tools.image.debian_package import ar_members

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So that equal contents get equal serial numbers.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:explanation-service:sbom")
OSI = "License :: OSI Approved :: "
# By source package: their copyright files are prose.
LICENCES_OF_PROSE = {
    "base-files": "GPL-2.0-or-later",
    "gcc-12": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "glibc": "LGPL-2.1-or-later",
    "krb5": "MIT",
    "libxcrypt": "LGPL-2.1-or-later",
    "ncurses": "X11-distribute-modifications-variant",
    "python3.11": "PSF-2.0",
}
# As authors write them -> as SPDX does.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
}

Json = dict[str, Any]


@dataclass
class Part:
    """One thing in the image; `needs` are names of its own kind."""

    name: str
    version: str
    purl: PackageURL
    sha256: str
    licences: list[str]
    needs: set[str] = field(default_factory=set)
    kind: ComponentType = ComponentType.LIBRARY
    homepage: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def control_and_files(package: Path) -> tuple[Message, TarFile]:
    """The control record of a Debian package and its data tar."""
    control, data = None, None
    for name, content in ar_members(package):
        if name.startswith("control.tar"):
            with open_tar(fileobj=BytesIO(content)) as archive:
                member = archive.extractfile("./control")
                assert member is not None
                control = Parser().parsestr(member.read().decode())
        elif name.startswith("data.tar"):
            data = open_tar(fileobj=BytesIO(content))  # noqa: SIM115 - the caller reads it
    if control is None or data is None:
        raise SystemExit(f"{package.name} is no Debian package")
    return control, data


def spdx(name: str) -> str:
    """SPDX's identifier for a licence's name, or the name where there is none."""
    if gnu := re.fullmatch(r"(A?L?GPL|GFDL)-(\d)(\.\d)?(\+?)", name):
        version = gnu[2] + (gnu[3] or ".0")
        return f"{gnu[1]}-{version}-{'or-later' if gnu[4] else 'only'}"
    return SPDX.get(name, name)


def short_names(copyright_file: str) -> list[str]:
    """Licences of a machine-readable copyright file (DEP 5); none of any other."""
    if not copyright_file.lstrip().lower().startswith("format:"):
        return []
    found = re.findall(r"^License:[ \t]*(\S[^\n]*)$", copyright_file, re.MULTILINE)
    return sorted({spdx(name.strip()) for name in found})


def copyright_of(name: str, files: TarFile) -> str | None:
    """The text, unless another package has it (a link to that package's folder)."""
    try:
        stream = files.extractfile(f"./usr/share/doc/{name}/copyright")
    except KeyError:
        return None
    return stream.read().decode(errors="replace") if stream else None


def debian_parts(packages: Iterable[Path], lock: Json, architecture: str) -> Iterator[Part]:
    locked = {package["name"]: package for package in lock["packages"][architecture]}
    for path in packages:
        control, files = control_and_files(path)
        name, version = control["Package"], control["Version"]
        source = control.get("Source", name).split(" ")[0]
        properties = {"debian:source": source}
        licences = short_names(copyright_of(name, files) or "")
        if not licences and source in LICENCES_OF_PROSE:
            licences = [LICENCES_OF_PROSE[source]]
        digest = sha256_of(path)
        if digest != locked[name]["sha256"]:
            properties["explanation-service:lock"] = (
                f"newer than the locked {locked[name]['version']}"
            )
        needs = re.split(r"[,|]", f"{control.get('Depends', '')},{control.get('Pre-Depends', '')}")
        yield Part(
            name=name,
            version=version,
            purl=PackageURL(
                type="deb",
                namespace="debian",
                name=name,
                version=version,
                qualifiers={"arch": control["Architecture"], "distro": lock["release"]},
            ),
            sha256=digest,
            licences=licences,
            needs={re.split(r"[ :(]", each.strip())[0] for each in needs if each.strip()},
            homepage=control.get("Homepage"),
            properties=properties,
        )


def read_wheels_lock(text: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Hashes by package, and by package what it needs (the lock says who wanted each)."""
    hashes: dict[str, set[str]] = {}
    needs: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", text):
        found = re.match(r"([A-Za-z0-9._-]+)==", block)
        if found is None:
            continue
        name = canonicalize_name(found[1])
        hashes[name] = set(re.findall(r"sha256:([0-9a-f]{64})", block))
        for wanted_by in re.findall(r"# via (\S+)", block):
            needs.setdefault(canonicalize_name(wanted_by), set()).add(name)
    return hashes, needs


def wheel_licences(metadata: Message) -> list[str]:
    """The expression, else the classifiers, else the free text where it is a name and no essay."""
    if expression := metadata["License-Expression"]:
        return [expression]
    classifiers = [
        each.removeprefix(OSI)
        for each in metadata.get_all("Classifier", [])
        if each.startswith(OSI) and each != "License :: OSI Approved"
    ]
    text = (metadata["License"] or "").strip()
    if classifiers and (not text or len(text) > 60):
        return sorted(map(spdx, classifiers))
    return [spdx(text)] if text and len(text) <= 60 and "\n" not in text else []


def wheel_parts(wheels: Iterable[Path], lock: str) -> Iterator[Part]:
    hashes, needs = read_wheels_lock(lock)
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            (member,) = [
                name
                for name in archive.namelist()
                if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
            ]
            metadata = Parser().parsestr(archive.read(member).decode())
        name = canonicalize_name(metadata["Name"])
        digest = sha256_of(path)
        if digest not in hashes.get(name, set()):
            raise SystemExit(f"{path.name} is not the wheel that requirements_lock.txt names")
        yield Part(
            name=name,
            version=metadata["Version"],
            purl=PackageURL(type="pypi", name=name, version=metadata["Version"]),
            sha256=digest,
            licences=wheel_licences(metadata),
            needs=needs.get(name, set()),
            homepage=metadata["Home-page"],
        )


def model_part(folder: Path) -> Part:
    info = json.loads((folder / "model_info.json").read_text())
    readme = folder / "README.md"
    text = readme.read_text() if readme.is_file() else ""
    licence = re.search(r"^license: *(\S+)$", text, re.MULTILINE)
    weights = folder / "model.safetensors"
    name, revision = info["name"], info["revision"]
    namespace, _, short = name.rpartition("/")
    return Part(
        name=name,
        version=revision,
        purl=PackageURL(type="huggingface", namespace=namespace or None, name=short),
        sha256=sha256_of(weights) if weights.is_file() else hashlib.sha256(b"").hexdigest(),
        licences=[licence[1].upper()] if licence else [],
        kind=ComponentType.MACHINE_LEARNING_MODEL,
        properties={"explanation-service:hash-of": "model.safetensors"},
    )


def component(part: Part) -> Component:
    licences = LicenseFactory()
    references = []
    if part.homepage:
        references.append(
            ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(part.homepage))
        )
    made = [
        licences.make_from_string(each, license_acknowledgement=LicenseAcknowledgement.DECLARED)
        for each in part.licences
    ]
    expressions = [each for each in made if not hasattr(each, "id")]
    return Component(
        type=part.kind,
        name=part.name,
        version=part.version,
        purl=part.purl,
        bom_ref=str(part.purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
        # The format allows one expression, or any number of names.
        licenses=expressions[:1] if expressions else made,
        external_references=references,
        properties=[Property(name=name, value=value) for name, value in part.properties.items()],
    )


def bill_of_materials(request: Json) -> Bom:
    lock = json.loads(Path(request["debian_lock"]).read_text())
    packages = map(Path, request["packages"])
    groups = [
        list(debian_parts(packages, lock, request["architecture"])),
        list(
            part
            for part in wheel_parts(
                map(Path, request["wheels"]), Path(request["wheels_lock"]).read_text()
            )
            if part.name not in request["left_out"]
        ),
        [model_part(Path(request["model"]))] if request["model"] else [],
    ]
    bom = Bom()
    bom.metadata.timestamp = EPOCH
    image = Component(
        type=ComponentType.CONTAINER,
        name=request["image"],
        version=request["version"],
        bom_ref=request["image"],
        purl=PackageURL(
            type="oci",
            name=request["image"],
            qualifiers={"arch": request["architecture"], "tag": request["version"]},
        ),
    )
    bom.metadata.component = image
    for parts in groups:
        components = {part.name: component(part) for part in parts}
        wanted = set().union(*(part.needs for part in parts)) if parts else set()
        for part in parts:
            bom.components.add(components[part.name])
            needed = [components[name] for name in sorted(part.needs) if name in components]
            bom.register_dependency(components[part.name], needed)
        bom.register_dependency(
            image, [components[name] for name in sorted(set(components) - wanted)]
        )
    content = "\n".join(sorted(f"{part.purl} {part.sha256}" for parts in groups for part in parts))
    bom.serial_number = uuid.uuid5(NAMESPACE, f"{request['image']}\n{content}")
    return bom


def main() -> int:
    request = json.loads(Path(sys.argv[1]).read_text())
    text = JsonV1Dot6(bill_of_materials(request)).output_as_string(indent=2)
    Path(sys.argv[2]).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
