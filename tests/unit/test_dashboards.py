"""Grafana's dashboards: what is committed is what the code makes, and nothing in it depends on an installation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "roles/grafana/files/dashboards"
NAMES = ["mesh", "performance", "restaurant", "service", "workload"]
# Grafana's own panels: any other must be downloaded, and Angular's were removed in Grafana 12.
CORE_PANELS = {"bargauge", "logs", "row", "stat", "table", "timeseries", "traces"}
sys.path.insert(0, str(ROOT / "tools"))


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def values_of(key: str, node: Any) -> Iterator[Any]:
    """Every value of a key, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(key, value)


def test_every_dashboard_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES


def test_what_is_committed_is_what_the_code_makes() -> None:
    from dashboards.__main__ import dashboards, text

    made = {f"{dashboard.uid}.json": text(dashboard) for dashboard in dashboards()}
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert committed == made, "run `make dashboards`"


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_knows_every_field(name: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    committed = load(name)
    read = json.loads(json.dumps(Dashboard.from_json(committed), cls=JSONEncoder))
    assert_kept(committed, read, name)


def assert_kept(part: Any, whole: Any, where: str) -> None:
    """Reading drops what the schema does not know, and adds defaults."""
    if isinstance(part, dict):
        for key, value in part.items():
            assert key in whole, f"{where}/{key}"
            assert_kept(value, whole[key], f"{where}/{key}")
    elif isinstance(part, list):
        assert len(part) == len(whole), where
        for place, value in enumerate(part):
            assert_kept(value, whole[place], f"{where}/{place}")
    else:
        assert part == whole, where


@pytest.mark.parametrize("name", NAMES)
def test_uids_are_fixed(name: str) -> None:
    dashboard = load(name)
    assert dashboard["uid"] == name
    assert "id" not in dashboard
    wiring = yaml.safe_load((ROOT / "roles/wiring/vars/main.yml").read_text())["wiring_datasources"]
    sources = list(values_of("datasource", dashboard))
    assert sources
    for source in sources:
        assert source["uid"] == wiring[source["type"]]


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_grafanas_own_and_have_their_place(name: str) -> None:
    panels = load(name)["panels"]
    assert {panel["type"] for panel in panels} <= CORE_PANELS
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_each_query_of_a_panel_has_a_name_of_its_own(name: str) -> None:
    for panel in load(name)["panels"]:
        names = [target["refId"] for target in panel.get("targets", [])]
        assert len(names) == len(set(names)), panel["title"]
        assert names or panel["type"] == "row", panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_dashboards_that_exist(name: str) -> None:
    for url in values_of("url", load(name)):
        assert url.startswith("/explore?") or url.removeprefix("/d/").partition("?")[0] in NAMES, url


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_into_a_config_map_with_the_others(name: str) -> None:
    assert (FOLDER / f"{name}.json").stat().st_size < 200_000
