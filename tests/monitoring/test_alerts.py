"""Each alert asks for what exists, has a page in the runbook and is tested both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.rules import (
    CONFIGURATIONS,
    JOBS,
    alerts,
    all_rules,
    jobs_in,
    names_in,
    recorded,
    unknown_names,
)

RUNBOOK = Path("docs/operations.md")
ALERTS = alerts()


def cases() -> list[dict[str, Any]]:
    found = [
        case
        for path in sorted(Path("tests/monitoring/promtool").glob("*.yml"))
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
    ]
    assert len(found) > len(ALERTS)
    return found


def section(anchor: str) -> str:
    """The text under the heading that has this anchor, up to the next heading."""
    parts = re.split(r"^#+ (.+)$", RUNBOOK.read_text(), flags=re.M)
    texts = {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-"): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert anchor in texts, f"{RUNBOOK} has no heading #{anchor}"
    return texts[anchor]


@pytest.mark.parametrize("name", ALERTS)
def test_it_is_tested_firing_and_silent(name: str) -> None:
    expected = [bool(case["exp_alerts"]) for case in cases() if case["alertname"] == name]
    assert True in expected, f"no test in which {name} fires"
    assert False in expected, f"no test in which {name} is silent"


@pytest.mark.parametrize("name", ALERTS)
def test_it_says_what_is_wrong_and_where_help_stands(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    path, anchor = alert["annotations"]["runbook_url"].split("#")
    assert (Path(path), anchor) == (RUNBOOK, name.lower())
    words = section(anchor)
    for question in ("*Means*", "*Look at*", "*Do*"):
        assert question in words, f"{RUNBOOK}#{anchor} does not answer {question}"


def test_the_runbook_has_no_page_of_an_alert_that_went() -> None:
    text = RUNBOOK.read_text()
    headings = re.findall(r"^### ([A-Z]\w+)$", text, flags=re.M)
    assert sorted(headings) == sorted(ALERTS)


def test_rules_ask_for_metrics_that_exist() -> None:
    assert unknown_names([rule["expr"] for rule in all_rules()]) == []


def test_every_recorded_figure_is_used_or_shown() -> None:
    asked = {name for rule in all_rules() for name in names_in(rule["expr"])}
    shown = "".join(path.read_text() for path in Path("infra/grafana/dashboards").glob("*.json"))
    assert [name for name in sorted(recorded()) if name not in asked and name not in shown] == []


def test_bounds_of_histograms_are_bounds_that_there_are() -> None:
    from explanation_service.telemetry.metrics import render

    exposed = render()[0].decode()
    asked = {
        found
        for rule in all_rules()
        for found in re.findall(r'(\w+)_bucket\{le="([^"]+)"\}', rule["expr"])
    }
    assert asked
    for metric, bound in asked:
        assert f'{metric}_bucket{{le="{bound}"}}' in exposed


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_both_configurations_have_the_jobs_that_rules_ask_for(path: Path) -> None:
    configuration = yaml.safe_load(path.read_text())
    assert {job["job_name"] for job in configuration["scrape_configs"]} == JOBS
    asked = {job for rule in all_rules() for job in jobs_in(rule["expr"])}
    assert asked and asked <= JOBS


def test_in_compose_dns_finds_every_replica() -> None:
    services = yaml.safe_load(Path("compose.yaml").read_text())["services"]
    configuration = yaml.safe_load(CONFIGURATIONS[0].read_text())
    for job in configuration["scrape_configs"]:
        assert "static_configs" not in job
        (discovery,) = job["dns_sd_configs"]
        # An A record a container; a service record or a static name would be one replica.
        assert (discovery["type"], discovery["port"]) == ("A", 8000)
        assert job["job_name"] in discovery["names"]
        assert set(discovery["names"]) <= set(services)
