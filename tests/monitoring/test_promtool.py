"""promtool of Debian's Prometheus reads every file, every question and every test of an alert."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.manifests import of_kind
from tests.monitoring.rules import CONFIGURATIONS, DASHBOARDS, RULES, questions, unknown_names

CASES = sorted(Path("tests/monitoring/promtool").glob("*.yml"))

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    program = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if program is None:
        assert os.environ.get("CI") != "true", "promtool is missing"
        pytest.skip("promtool is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(Path(program).absolute()), *arguments], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def as_rules(expressions: list[str]) -> str:
    """A rule file in which each expression is recorded under a name of its own."""
    rules = [
        {"record": f"question:{number}", "expr": expression}
        for number, expression in enumerate(expressions)
    ]
    return yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]})


def test_there_is_something_to_test() -> None:
    assert len(CASES) >= 4 and len(DASHBOARDS) >= 3 and len(list(RULES.glob("*.yml"))) >= 4


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_configuration(promtool: Promtool, tmp_path: Path, path: Path) -> None:
    configuration = yaml.safe_load(path.read_text())
    configuration["rule_files"] = [str(RULES.absolute() / "*.yml")]
    for job in configuration["scrape_configs"]:
        # Debian's is built without a client of Kubernetes.
        if job.pop("kubernetes_sd_configs", None):
            job["static_configs"] = [{"targets": ["pod:8000"]}]
    copy = tmp_path / path.name
    copy.write_text(yaml.safe_dump(configuration))
    assert f"{len(list(RULES.glob('*.yml')))} rule files found" in promtool(
        "check", "config", str(copy)
    )


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.stem)
def test_rules(promtool: Promtool, path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(path))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(promtool: Promtool, path: Path) -> None:
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_questions_of_a_dashboard(promtool: Promtool, tmp_path: Path, path: Path) -> None:
    asked = questions(path)
    assert len(asked) > 5
    rules = tmp_path / "questions.yml"
    rules.write_text(as_rules(asked))
    promtool("check", "rules", str(rules))


def test_questions_that_scale_workers(promtool: Promtool, tmp_path: Path) -> None:
    asked = [
        trigger["metadata"]["query"]
        for scaled in of_kind("ScaledObject").values()
        for trigger in scaled["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    assert asked and unknown_names(asked) == []
    rules = tmp_path / "questions.yml"
    rules.write_text(as_rules(asked))
    promtool("check", "rules", str(rules))
