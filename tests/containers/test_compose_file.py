"""compose.yaml says what product and operators rely on, and passes every setting on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

# Of .env.example; the containers have a reason of their own for each.
SET_BY_THE_CONTAINER = {
    "API_HOST": "all addresses of the container",
    "API_PORT": "8000 inside, PUBLISH_API_PORT outside",
    "EMBEDDING_BACKEND": "the image has torch alone",
    "EMBEDDING_MODEL_NAME": "the model is a layer of the image",
    "EMBEDDING_MODEL_PATH": "the model is a layer of the image",
    "FASTTEXT_MODEL_PATH": "a file that a volume would have to bring",
    "REDIS_CONSUMER_NAME": "must differ between the replicas; each makes its own",
    "START_EMBEDDING_WORKER": "what tells the monolith from the API",
    "WORKER_HOST": "all addresses of the container",
    "WORKER_PORT": "8000 inside, not published",
}
# Inside compose the stores have other addresses than on the developer's machine.
RENAMED = {name: f"COMPOSE_{name}" for name in ("MONGODB_URI", "QDRANT_URL", "REDIS_URL")}
OURS = ("python-generator-api", "python-generator-worker", "python-generator")
# Not from a registry: images of this repository, the fake model for development among them.
BUILT_HERE = (*OURS, "yandexgpt")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path("compose.yaml").read_text())["services"]
    return found


def variables() -> dict[str, str]:
    lines = Path(".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_setting_reaches_a_container(services: dict[str, Any]) -> None:
    passed = {
        name: value
        for service in OURS
        for name, value in services[service]["environment"].items()
        if name not in SET_BY_THE_CONTAINER
    }
    assert set(passed) == set(variables()) - set(SET_BY_THE_CONTAINER)
    for name, value in passed.items():
        assert re.fullmatch(r"\$\{" + RENAMED.get(name, name) + r":-[^}]*\}", value), (name, value)


def test_the_monolith_has_the_settings_of_both(services: dict[str, Any]) -> None:
    api, worker, monolith = (services[name]["environment"] for name in OURS)
    both = set(api) | set(worker) - {"WORKER_ROLE"}
    assert set(monolith) == both | {"START_EMBEDDING_WORKER"}


def test_defaults_are_those_of_the_settings(services: dict[str, Any]) -> None:
    # Another environment than the developer's; the stores' addresses; the model's own defaults.
    other = {"APP_ENV", "START_EMBEDDING_WORKER", "YANDEXGPT_BASE_URL", *RENAMED}
    for service in OURS:
        for name, value in services[service]["environment"].items():
            if name not in other:
                default = re.sub(r"^\$\{[A-Z_]+:-(.*)\}$", r"\1", value)
                assert default == variables()[name], (service, name)


def test_what_runs_without_a_profile(services: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in services.items()}
    assert {name for name, wanted in profiles.items() if not wanted} == {
        "grafana",
        "mongodb",
        "prometheus",
        "python-generator-api",
        "python-generator-worker",
        "qdrant",
        "redis",
    }
    assert profiles["python-generator"] == ["legacy"]


def test_all_are_restarted_limited_and_probed_without_a_shell(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        # A list that begins with CMD is started as it stands; CMD-SHELL would need a shell.
        assert service["healthcheck"]["test"][0] == "CMD", name
        pinned = name in BUILT_HERE or re.search(r":[^@]+@sha256:[0-9a-f]{64}$", service["image"])
        assert pinned, f"{name}: an image without a digest is another one tomorrow"


def test_ours_may_do_nothing_that_they_need_not(services: dict[str, Any]) -> None:
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_worker_s_memory_is_as_promised(services: dict[str, Any]) -> None:
    for name in ("python-generator-worker", "python-generator"):
        assert services[name]["mem_limit"] == "2G"
        assert services[name]["mem_reservation"] == "1G"


def test_ports_are_published_on_this_machine_alone(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {
        "grafana",
        "prometheus",
        "python-generator",
        "python-generator-api",
    }
    for (port,) in published.values():
        assert port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}:")


def test_data_lies_in_named_volumes(services: dict[str, Any]) -> None:
    declared = yaml.safe_load(Path("compose.yaml").read_text())["volumes"]
    for name in ("grafana", "mongodb", "prometheus", "qdrant", "redis"):
        assert f"{name}-data" in declared
        assert any(volume.startswith(f"{name}-data:/") for volume in services[name]["volumes"])
