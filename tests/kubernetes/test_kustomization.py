"""What the manifests name is there: files, images, targets, selectors, ports, secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import (
    BASE,
    KUSTOMIZATION,
    OVERLAYS,
    container,
    kustomization,
    of_kind,
    pod,
    resources,
    selected,
)

FOLDERS = [BASE, *OVERLAYS]
SCALED = {
    "python-generator-api": "HorizontalPodAutoscaler",
    "python-generator-worker": "ScaledObject",
    "python-generator-worker-query": "HorizontalPodAutoscaler",
}


def selectors() -> dict[str, dict[str, str]]:
    """By what has it: every selector of pods but the policies'."""
    found = {}
    for name, deployment in of_kind("Deployment").items():
        found[f"Deployment {name}"] = deployment["spec"]["selector"]["matchLabels"]
        for spread in pod(deployment)["spec"].get("topologySpreadConstraints", []):
            found[f"spread of {name}"] = spread["labelSelector"]["matchLabels"]
    for name, service in of_kind("Service").items():
        found[f"Service {name}"] = service["spec"]["selector"]
    for name, budget in of_kind("PodDisruptionBudget").items():
        found[f"PodDisruptionBudget {name}"] = budget["spec"]["selector"]["matchLabels"]
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_listed_and_every_listed_file_is_there(folder: Path) -> None:
    listed = kustomization(folder)["resources"]
    assert len(listed) == len(set(listed))
    files = {name for name in listed if name.endswith(".yaml")}
    assert files == {path.name for path in folder.glob("*.yaml")} - {KUSTOMIZATION}
    for name in set(listed) - files:
        assert (folder / name / KUSTOMIZATION).is_file(), name


def test_names_are_given_once() -> None:
    for overlay in OVERLAYS:
        names = [
            (resource["kind"], resource["metadata"]["name"])
            for folder in (BASE, overlay)
            for resource in resources(folder)
        ]
        assert len(names) == len(set(names))


def test_all_is_part_of_the_service_and_in_the_overlay_s_namespace() -> None:
    for folder in FOLDERS:
        for resource in resources(folder):
            if resource["kind"] == "Namespace":
                assert resource["metadata"]["name"] == kustomization(folder)["namespace"]
                continue
            labels = resource["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "explanation-service"
            assert "namespace" not in resource["metadata"]


@pytest.mark.parametrize("owner", selectors())
def test_a_selector_takes_the_pods_of_one_deployment(owner: str) -> None:
    assert selected(selectors()[owner]) == [owner.split()[-1]]


def test_policies_take_pods_that_there_are() -> None:
    taken = {
        name: set(selected(policy["spec"]["podSelector"]["matchLabels"]))
        for name, policy in of_kind("NetworkPolicy").items()
    }
    assert taken == {
        "explanation-service": set(of_kind("Deployment")),
        "python-generator-api": {"python-generator-api"},
    }


def test_each_deployment_is_scaled_by_one_and_sized_by_nobody_else() -> None:
    targets = {
        resource["spec"]["scaleTargetRef"]["name"]: kind
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for resource in of_kind(kind).values()
    }
    assert targets == SCALED
    for name, deployment in of_kind("Deployment").items():
        assert SCALED[name] and "replicas" not in deployment["spec"]
    assert set(of_kind("PodDisruptionBudget")) == set(SCALED)


def test_ports_are_named_as_the_containers_name_them() -> None:
    ports = {
        port["name"]: port["containerPort"]
        for deployment in of_kind("Deployment").values()
        for port in container(deployment)["ports"]
    }
    assert ports == {"http": 8000}
    named: list[Any] = [
        port["targetPort"]
        for service in of_kind("Service").values()
        for port in service["spec"]["ports"]
    ]
    for policy in of_kind("NetworkPolicy").values():
        for rule in policy["spec"]["ingress"]:
            named += [port["port"] for port in rule["ports"]]
    assert set(named) == {"http"}


def test_the_stream_that_scales_is_the_stream_that_is_read() -> None:
    settings = of_kind("ConfigMap")["explanation-service-settings"]["data"]
    (scaled,) = of_kind("ScaledObject").values()
    by_type = {trigger["type"]: trigger for trigger in scaled["spec"]["triggers"]}
    stream = by_type["redis-streams"]["metadata"]
    assert stream["stream"] == settings["REDIS_STREAM_NAME"]
    assert stream["consumerGroup"] == settings["REDIS_STREAM_GROUP"]
    reference = by_type["redis-streams"]["authenticationRef"]["name"]
    assert reference in of_kind("TriggerAuthentication")


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_an_overlay_has_every_secret_that_the_base_wants(overlay: Path) -> None:
    secrets = of_kind("Secret", BASE, overlay)
    for deployment in of_kind("Deployment").values():
        assert pod(deployment)["spec"]["serviceAccountName"] in of_kind("ServiceAccount")
        for entry in container(deployment)["envFrom"]:
            if "secretRef" in entry:
                assert entry["secretRef"]["name"] in secrets
            else:
                assert entry["configMapRef"]["name"] in of_kind("ConfigMap")
    for authentication in of_kind("TriggerAuthentication").values():
        for target in authentication["spec"]["secretTargetRef"]:
            assert target["key"] in secrets[target["name"]]["stringData"]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_an_overlay_s_images_and_patches_have_a_target(overlay: Path) -> None:
    images = {container(one)["image"].split(":")[0] for one in of_kind("Deployment").values()}
    assert {image["name"] for image in kustomization(overlay)["images"]} == images
    for patch in kustomization(overlay)["patches"]:
        target = of_kind(patch["target"]["kind"])[patch["target"]["name"]]
        for operation in yaml.safe_load(patch["patch"]):
            *above, last = operation["path"].strip("/").split("/")
            for step in above:
                target = target[step]
            assert operation["op"] == "replace" and type(target[last]) is type(operation["value"])
