"""Every manifest is what the API server takes: strictly, so a misspelt field is an error."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.kubernetes.manifests import BASE, OVERLAYS, Resource, of_kind, resources

# The oldest that knows all that we use (a container's pause before SIGTERM), and the newest.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
KEDA = json.loads(Path("tests/kubernetes/keda.schema.json").read_text())

ALL = [resource for folder in (BASE, *OVERLAYS) for resource in resources(folder)]
KNOWN = [resource for resource in ALL if not resource["apiVersion"].startswith("keda.sh/")]
CUSTOM = [resource for resource in ALL if resource["apiVersion"].startswith("keda.sh/")]


def name_of(resource: Any) -> str:
    return f"{resource['kind']}-{resource['metadata']['name']}" if "kind" in resource else resource


def check_custom(resource: Resource) -> None:
    schema = KEDA | {"$ref": f"#/$defs/{resource['kind']}"}
    jsonschema.validate(resource, schema, jsonschema.Draft202012Validator)


def test_there_is_something_to_check() -> None:
    assert len(KNOWN) > 15 and len(CUSTOM) == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", KNOWN, ids=name_of)
def test_kubernetes_takes_it(resource: Resource, version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("resource", CUSTOM, ids=name_of)
def test_keda_takes_it(resource: Resource) -> None:
    check_custom(resource)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_misspelt_field_is_found(version: str) -> None:
    deployment = copy.deepcopy(of_kind("Deployment")["python-generator-api"])
    security = deployment["spec"]["template"]["spec"]["securityContext"]
    security["runAsNonroot"] = security.pop("runAsNonRoot")
    with pytest.raises(kubernetes_validate.ValidationError, match="runAsNonroot"):
        kubernetes_validate.validate(deployment, version, strict=True)


def test_a_trigger_by_pending_entries_is_found() -> None:
    scaled = copy.deepcopy(of_kind("ScaledObject")["python-generator-worker"])
    metadata = scaled["spec"]["triggers"][0]["metadata"]
    metadata["pendingEntriesCount"] = metadata.pop("lagCount")
    with pytest.raises(jsonschema.ValidationError):
        check_custom(scaled)
