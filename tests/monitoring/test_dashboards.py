"""The dashboards show what the services measure, all of it and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.monitoring.rules import (
    DASHBOARDS,
    JOBS,
    all_rules,
    dashboard,
    exported,
    jobs_in,
    names_in,
    questions,
    unknown_names,
)

EVERY = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_every_metric_of_ours_has_a_panel() -> None:
    asked = [question for path in DASHBOARDS for question in questions(path)]
    shown = {name for question in asked for name in names_in(question)}
    # A recorded figure shows what it is made of.
    made_of = {rule["record"]: names_in(rule["expr"]) for rule in all_rules() if "record" in rule}
    shown |= {name for figure in shown & made_of.keys() for name in made_of[figure]}
    ours = {name: series for name, series in exported().items() if name[:3] in ("emb", "exp")}
    assert len(ours) > 20
    assert [name for name, series in ours.items() if not series & shown] == []


@EVERY
def test_panels_ask_for_metrics_and_jobs_that_exist(path: Path) -> None:
    asked = questions(path)
    assert unknown_names(asked) == []
    assert {job for expression in asked for job in jobs_in(expression)} <= JOBS


@EVERY
def test_panels_lie_side_by_side(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(path)["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@EVERY
def test_the_data_source_is_the_provisioned_one(path: Path) -> None:
    provisioned = yaml.safe_load(Path("infra/grafana/datasources/prometheus.yaml").read_text())
    (source,) = provisioned["datasources"]
    for panel in dashboard(path)["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}


@EVERY
def test_panels_are_told_apart_by_their_ids(path: Path) -> None:
    ids = [panel["id"] for panel in dashboard(path)["panels"]]
    assert len(ids) == len(set(ids))


def test_dashboards_are_told_apart_and_lead_to_each_other() -> None:
    all_of_them = [dashboard(path) for path in DASHBOARDS]
    assert len({one["uid"] for one in all_of_them}) == len(all_of_them)
    assert len({one["title"] for one in all_of_them}) == len(all_of_them)
    for one in all_of_them:
        assert set(one["links"][0]["tags"]) <= set(one["tags"])
