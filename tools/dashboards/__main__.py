"""Writes each dashboard to roles/grafana/files/dashboards/<uid>.json."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from . import mesh, performance, restaurant, service, workload

FOLDER = Path(__file__).resolve().parents[2] / "roles/grafana/files/dashboards"


def dashboards() -> list[Dashboard]:
    """All of them."""
    return [module.dashboard() for module in (mesh, service, workload, performance, restaurant)]


def text(dashboard: Dashboard) -> str:
    """Its JSON, the same at every run."""
    return json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=1) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in dashboards():
        (FOLDER / f"{dashboard.uid}.json").write_text(text(dashboard))


if __name__ == "__main__":
    main()
