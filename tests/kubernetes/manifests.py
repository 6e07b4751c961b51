"""The manifests of deploy/kubernetes as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path("deploy/kubernetes")
BASE = ROOT / "base"
OVERLAYS = sorted(path for path in (ROOT / "overlays").iterdir() if path.is_dir())
KUSTOMIZATION = "kustomization.yaml"

Resource = dict[str, Any]


def kustomization(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((folder / KUSTOMIZATION).read_text())
    return content


def resources(folder: Path) -> list[Resource]:
    """What the folder's own files hold, in the order of its kustomization."""
    return [
        resource
        for name in kustomization(folder)["resources"]
        if (folder / name).is_file()
        for resource in yaml.safe_load_all((folder / name).read_text())
    ]


def of_kind(kind: str, *folders: Path) -> dict[str, Resource]:
    """By name; of the base where no folder is given."""
    return {
        resource["metadata"]["name"]: resource
        for folder in folders or (BASE,)
        for resource in resources(folder)
        if resource["kind"] == kind
    }


def pod(deployment: Resource) -> Resource:
    template: Resource = deployment["spec"]["template"]
    return template


def container(deployment: Resource) -> dict[str, Any]:
    (one,) = pod(deployment)["spec"]["containers"]
    found: dict[str, Any] = one
    return found


def selected(selector: Mapping[str, str]) -> list[str]:
    """Names of the Deployments whose pods bear all these labels."""
    return [
        name
        for name, deployment in of_kind("Deployment").items()
        if selector.items() <= pod(deployment)["metadata"]["labels"].items()
    ]


def variables(deployment: Resource, *overlays: Path) -> Iterator[tuple[str, str, str]]:
    """Where it is written, name and value of each environment variable of a Deployment."""
    sources = {
        "configMapRef": of_kind("ConfigMap", BASE, *overlays),
        "secretRef": of_kind("Secret", BASE, *overlays),
    }
    own = container(deployment)
    for variable in own.get("env", []):
        yield deployment["metadata"]["name"], variable["name"], variable["value"]
    for entry in own["envFrom"]:
        ((reference, target),) = entry.items()
        source = sources[reference][target["name"]]
        content = source["data"] if reference == "configMapRef" else source["stringData"]
        for name, value in content.items():
            yield target["name"], name, value
