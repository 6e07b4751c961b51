"""Manifests, compose.yaml, .env.example and the settings know the same names and defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from explanation_service.settings import Settings, load_settings
from tests.kubernetes.manifests import BASE, OVERLAYS, of_kind, variables

DEPLOYMENTS = of_kind("Deployment")
NAMES = {name.upper() for name in Settings.model_fields}
# The reason why a value is not the default of .env.example.
OTHER = {
    "APP_ENV": "these are no development machines",
    "MONGODB_URI": "an address",
    "REDIS_URL": "an address",
    "QDRANT_URL": "an address",
    "WORKER_ROLE": "each Deployment has its own",
    "API_KEYS": "an API that is open to all is a developer's",
    "ADMIN_API_KEYS": "an API that is open to all is a developer's",
}


def written(overlay: Path) -> Iterator[tuple[str, str, str]]:
    for deployment in DEPLOYMENTS.values():
        yield from variables(deployment, overlay)


def example() -> dict[str, str]:
    lines = Path(".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose() -> dict[str, str]:
    """Defaults of the variables that compose passes on to our services."""
    services = yaml.safe_load(Path("compose.yaml").read_text())["services"]
    passed = {
        name: value
        for service in services.values()
        if service["image"].startswith("python-generator")
        for name, value in service["environment"].items()
    }
    matches = {name: re.fullmatch(r"\$\{[A-Z_]+:-(.*)\}", value) for name, value in passed.items()}
    return {name: match[1] for name, match in matches.items() if match}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_every_name_is_a_setting(overlay: Path) -> None:
    unknown = {(where, name) for where, name, _ in written(overlay) if name not in NAMES}
    assert not unknown


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_settings_take_the_values(
    name: str, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in NAMES:
        monkeypatch.delenv(setting, raising=False)
    given = list(variables(DEPLOYMENTS[name], overlay))
    assert len({variable for _, variable, _ in given}) == len(given), "a name is given twice"
    for _, variable, value in given:
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.app_env == "production"
    assert settings.mongodb_uri != Settings.model_fields["mongodb_uri"].default
    if "worker" not in name:
        assert settings.api_keys and settings.admin_api_keys


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_values_are_the_defaults_of_the_example_and_of_compose(overlay: Path) -> None:
    documented, composed = example(), compose()
    compared = 0
    for where, name, value in written(overlay):
        if name not in OTHER:
            assert value == documented[name], (where, name)
            compared += 1
        if name in composed and name not in OTHER.keys() - {"APP_ENV"}:
            assert value == composed[name], (where, name)
    assert compared > 10


def test_secrets_are_in_secrets_alone() -> None:
    secret = {name for name in NAMES if name.endswith(("_KEY", "_KEYS", "_TOKEN", "_URI", "_URL"))}
    assert {"MONGODB_URI", "YANDEXGPT_API_KEY"} <= secret
    for config in of_kind("ConfigMap", BASE, *OVERLAYS).values():
        assert not secret & config["data"].keys()


def test_what_a_container_sets_for_itself_is_left_to_it() -> None:
    """The images have EMBEDDING_MODEL_PATH and the ports, each replica makes its own name."""
    own = {"API_PORT", "WORKER_PORT", "EMBEDDING_MODEL_PATH", "REDIS_CONSUMER_NAME"}
    assert own <= NAMES
    for overlay in OVERLAYS:
        assert not own & {name for _, name, _ in written(overlay)}
