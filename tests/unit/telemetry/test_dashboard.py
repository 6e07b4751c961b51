"""The dashboard shows what the service measures, all of it and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from explanation_service.telemetry.metrics import REGISTRY

DASHBOARD = json.loads(Path("deploy/grafana/dashboards/explanation-service.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SHOWN = {
    name
    for panel in PANELS
    for target in panel["targets"]
    for name in re.findall(r"\b(?:explain|embed|process)_[a-z_]+", target["expr"])
}


def measured() -> dict[str, set[str]]:
    """The names of each metric's series; counters and histograms have several."""
    endings = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_count", "_sum"),
        "info": ("_info",),
        "gauge": ("",),
    }
    return {
        metric.name: {metric.name + ending for ending in endings[metric.type]}
        for metric in REGISTRY.collect()
    }


def test_every_metric_of_ours_has_a_panel() -> None:
    ours = {name: series for name, series in measured().items() if name[:3] in ("emb", "exp")}
    assert len(ours) > 15
    assert [name for name, series in ours.items() if not series & SHOWN] == []


def test_every_panel_asks_for_metrics_that_exist() -> None:
    exist = set().union(*measured().values())
    assert sorted(SHOWN - exist) == []


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_data_source_is_the_provisioned_one() -> None:
    provisioned = Path("deploy/grafana/datasources/prometheus.yaml").read_text()
    for panel in PANELS:
        assert f"uid: {panel['datasource']['uid']}\n" in provisioned
