"""The files of infra/prometheus and infra/grafana as data, and what the services export."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from explanation_service.telemetry.metrics import REGISTRY

RULES = Path("infra/prometheus/rules")
CONFIGURATIONS = [Path("infra/prometheus", name) for name in ("prometheus.yml", "kubernetes.yml")]
DASHBOARDS = sorted(Path("infra/grafana/dashboards").glob("*.json"))
JOBS = {"python-generator-api", "python-generator-worker"}

_ENDINGS = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "info": ("_info",),
    "gauge": ("",),
}


def all_rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    found = {rule["alert"]: rule for rule in all_rules() if "alert" in rule}
    assert len(found) > 10
    return found


def recorded() -> set[str]:
    return {rule["record"] for rule in all_rules() if "record" in rule}


def dashboard(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def questions(path: Path) -> list[str]:
    """What the panels of a dashboard ask Prometheus, with what Grafana fills in."""
    return [
        target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1h")
        for panel in dashboard(path)["panels"]
        for target in panel.get("targets", [])
    ]


def exported() -> dict[str, set[str]]:
    """The names of each metric's series; counters and histograms have several."""
    return {
        metric.name: {metric.name + ending for ending in _ENDINGS[metric.type]}
        for metric in REGISTRY.collect()
    }


def names_in(expression: str) -> set[str]:
    """Metrics and recorded figures that an expression names."""
    outside_of_texts = re.sub(r'"[^"]*"', '""', expression)
    return set(
        re.findall(r"\b(?:explain|embed|process)_[a-z_]+|\bservice:[a-z0-9_:]+", outside_of_texts)
    )


def unknown_names(expressions: list[str]) -> list[str]:
    """Those that neither a service exports nor a rule records."""
    known = set().union(*exported().values()) | recorded()
    return sorted(set().union(*(names_in(expression) for expression in expressions)) - known)


def jobs_in(expression: str) -> set[str]:
    """Jobs that an expression asks for by name or by pattern."""
    jobs = set(re.findall(r'\bjob="([^"]+)"', expression))
    for pattern in re.findall(r'\bjob=~"([^"]+)"', expression):
        jobs |= {job for job in JOBS if re.fullmatch(pattern, job)} or {pattern}
    return jobs
