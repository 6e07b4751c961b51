"""Pods have no right and no room that they need not, and come and go without harm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import Resource, container, of_kind, pod

DEPLOYMENTS = of_kind("Deployment")
EVERY = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "M": 1 << 20, "G": 1 << 30}


def memory(text: str) -> int:
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * UNITS[unit]


def processors(text: str) -> float:
    return int(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    with open("compose.yaml") as file:
        found: dict[str, Any] = yaml.safe_load(file)["services"]
    return found


@EVERY
def test_it_fits_the_restricted_standard(deployment: Resource) -> None:
    spec = pod(deployment)["spec"]
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    # The images' user; a number, or the kubelet could not tell that it is not root.
    assert (context["runAsUser"], context["runAsGroup"]) == (65532, 65532)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container(deployment)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & spec.keys()


@EVERY
def test_images_and_memory_are_those_of_compose(
    deployment: Resource, services: dict[str, Any]
) -> None:
    own = container(deployment)
    name = own["image"].split(":")[0]
    assert services[name]["image"].startswith(f"{name}:")
    limits, requests = own["resources"]["limits"], own["resources"]["requests"]
    assert memory(limits["memory"]) == memory(services[name]["mem_limit"])
    if "mem_reservation" in services[name]:
        assert memory(requests["memory"]) == memory(services[name]["mem_reservation"])
    assert memory(requests["memory"]) < memory(limits["memory"])
    if "cpu" in limits:
        assert processors(requests["cpu"]) <= processors(limits["cpu"])


def test_workers_have_a_limit_of_processors_and_the_api_has_none() -> None:
    """A worker's limit is its number of threads; an event loop must not be stopped by a quota."""
    limited = {
        name
        for name, deployment in DEPLOYMENTS.items()
        if "cpu" in container(deployment)["resources"]["limits"]
    }
    assert limited == {"python-generator-worker", "python-generator-worker-query"}


@EVERY
def test_probes_ask_what_compose_asks_and_have_time(deployment: Resource) -> None:
    own = container(deployment)
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert own[name]["httpGet"]["port"] == "http"
        # A dependency's check gives up after 2.5 s.
        assert own[name]["timeoutSeconds"] >= 3
    assert own["livenessProbe"]["httpGet"]["path"] == "/health"
    startup = own["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60


def test_a_store_that_is_away_takes_no_api_out_of_the_service() -> None:
    api = container(DEPLOYMENTS["python-generator-api"])
    assert api["startupProbe"]["httpGet"]["path"] == "/health/ready"
    assert api["readinessProbe"]["httpGet"]["path"] == "/health"


@EVERY
def test_there_is_time_to_stop(deployment: Resource) -> None:
    pause = container(deployment).get("lifecycle", {}).get("preStop", {})
    seconds = pause.get("sleep", {}).get("seconds", 0)
    # Both programs end within 10 s of SIGTERM; the pause before it counts, too.
    assert pod(deployment)["spec"]["terminationGracePeriodSeconds"] >= seconds + 10 + 5


def test_queries_are_always_answered_and_one_node_is_never_all() -> None:
    scaling = of_kind("HorizontalPodAutoscaler")
    for name in ("python-generator-api", "python-generator-worker-query"):
        assert scaling[name]["spec"]["minReplicas"] >= 2
        assert pod(DEPLOYMENTS[name])["spec"]["topologySpreadConstraints"]
    roles = {
        name: container(deployment)["env"][0]
        for name, deployment in DEPLOYMENTS.items()
        if "worker" in name
    }
    assert roles == {
        "python-generator-worker": {"name": "WORKER_ROLE", "value": "index"},
        "python-generator-worker-query": {"name": "WORKER_ROLE", "value": "query"},
    }
