"""Draws a dashboard as SVG, from its JSON and Prometheus' answers.

Not by Grafana: places, titles and figures are the dashboard's, the looks are ours. With a lab under load:

    PYTHONPATH=tools python -m dashboards.picture restaurant http://127.0.0.1:9090 --trend 5m --minutes 20 > picture.svg
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request
from typing import Any
from xml.sax.saxutils import escape

from .__main__ import FOLDER

CELL_WIDTH, CELL_HEIGHT, GAP, TOP = 50, 30, 4, 62
COLORS = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0")
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c", "text": "#ccccdc"}
Json = dict[str, Any]


class Prometheus:
    """Where the data come from."""

    def __init__(self, url: str, variables: dict[str, str], seconds: int) -> None:
        self._url, self._variables, self._seconds = url, variables, seconds
        self._end = time.time()

    def now(self, target: Json) -> list[tuple[str, Json, float]]:
        """(legend, labels, value) of each series."""
        found = self._get("query", query=self._filled(target["expr"]), time=self._end)
        return [(self._legend(target, one["metric"]), one["metric"], float(one["value"][1])) for one in found]

    def range(self, target: Json) -> list[tuple[str, list[tuple[float, float]]]]:
        """(legend, [(share of the time, value)]) of each series."""
        step, begin = self._seconds / 200, self._end - self._seconds
        found = self._get("query_range", query=self._filled(target["expr"]), start=begin, end=self._end, step=step)
        return [
            (
                self._legend(target, one["metric"]),
                [((float(at) - begin) / self._seconds, float(value)) for at, value in one["values"]],
            )
            for one in found
        ]

    def _filled(self, text: str) -> str:
        for name, value in self._variables.items():
            text = text.replace(f"${name}", value)
        return text

    def _legend(self, target: Json, labels: Json) -> str:
        return self._filled(re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target["legendFormat"]))

    def _get(self, what: str, **parameters: object) -> list[Json]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
            found: list[Json] = json.load(answer)["data"]["result"]
        return found


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """As Grafana would write it, nearly."""
    if math.isnan(value):
        return "-"
    if unit == "percentunit":
        places = 2 if decimals is None else decimals
        return f"{value * 100:.{places}f}%"
    digits = decimals if decimals is not None else (0 if abs(value) >= 100 or value == int(value) else 2)
    return {"currencyUSD": "$"}.get(unit, "") + f"{value:,.{digits}f}" + {"ms": " ms", "reqps": " req/s"}.get(unit, "")


def colored(value: float, steps: list[Json]) -> str:
    """The threshold's color."""
    reached = [step for step in steps if step.get("value") is None or value >= step["value"]]
    return NAMED.get(reached[-1]["color"], NAMED["text"]) if reached else NAMED["text"]


def text(x: float, y: float, words: str, size: int = 12, color: str = "#ccccdc", anchor: str = "start") -> str:
    """A line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def override(panel: Json, matcher: str, identity: str) -> Any:
    """A property that a column or a query has of its own; the last one counts."""
    found = None
    for one in panel["fieldConfig"]["overrides"]:
        if one["matcher"]["options"] == matcher:
            found = next((entry["value"] for entry in one["properties"] if entry["id"] == identity), found)
    return found


def stat(panel: Json, source: Prometheus, x: float, y: float, width: float, height: float) -> list[str]:
    """Its first query large, its second one small below."""
    defaults, drawn = panel["fieldConfig"]["defaults"], []
    for place, target in enumerate(panel["targets"]):
        found = source.now(target)
        unit = override(panel, target["refId"], "unit") or defaults["unit"]
        steps = (override(panel, target["refId"], "thresholds") or defaults["thresholds"])["steps"]
        if not found:
            words, color = override(panel, target["refId"], "noValue") or defaults["noValue"], "#8e8e99"
        else:
            legend, _labels, value = found[0]
            words, color = shown(value, unit, defaults.get("decimals")), colored(value, steps)
            if place:
                words = f"{'↑' if value >= 0 else '↓'} {words}   {legend}"
        drawn.append(
            text(x + width / 2, y + (62 if not place else 92), words, 30 if not place else 14, color, "middle")
        )
    return drawn


def timeseries(panel: Json, source: Prometheus, x: float, y: float, width: float, height: float) -> list[str]:
    """Lines, and a legend with their last values."""
    lines = [line for target in panel["targets"] for line in source.range(target)]
    left, top, right, bottom = x + 50, y + 32, x + width - 230, y + height - 14
    top_value = max([value for _legend, points in lines for _at, value in points] or [1]) * 1.1 or 1
    unit, drawn = panel["fieldConfig"]["defaults"]["unit"], []
    for part in range(5):
        line = bottom - (bottom - top) * part / 4
        drawn.append(f'<path d="M{left} {line:.1f}H{right}" stroke="#2c2f36"/>')
        drawn.append(text(left - 6, line + 4, shown(top_value * part / 4, "short", 1), 10, "#8e8e99", "end"))
    for place, (legend, points) in enumerate(sorted(lines)):
        color = COLORS[place % len(COLORS)]
        path = " ".join(
            f"{left + (right - left) * at:.1f},{bottom - (bottom - top) * value / top_value:.1f}"
            for at, value in points
        )
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        drawn.append(text(right + 16, top + 4 + place * 17, legend, 12, color))
        drawn.append(text(x + width - 12, top + 4 + place * 17, shown(points[-1][1], unit), 12, "#ccccdc", "end"))
    return drawn


def bargauge(panel: Json, source: Prometheus, x: float, y: float, width: float, height: float) -> list[str]:
    """A column for each series."""
    found = sorted(source.now(panel["targets"][0]))
    defaults = panel["fieldConfig"]["defaults"]
    top_value = max([value for _legend, _labels, value in found] or [1]) or 1
    each, top, bottom = (width - 40) / max(len(found), 1), y + 52, y + height - 28
    drawn = []
    for place, (legend, _labels, value) in enumerate(found):
        color, at = colored(value, defaults["thresholds"]["steps"]), x + 20 + each * place
        tall = (bottom - top) * value / top_value
        box = f'x="{at + each * 0.2:.1f}" y="{bottom - tall:.1f}" width="{each * 0.6:.1f}" height="{tall:.1f}"'
        drawn.append(f'<rect {box} fill="{color}"/>')
        drawn.append(text(at + each / 2, bottom - tall - 6, shown(value, defaults["unit"], 0), 13, color, "middle"))
        drawn.append(text(at + each / 2, bottom + 18, legend, 12, "#ccccdc", "middle"))
    return drawn


def table(panel: Json, source: Prometheus, x: float, y: float, width: float, height: float) -> list[str]:
    """Its queries joined by their labels."""
    organize = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
    names, order = organize["renameByName"], sorted(organize["indexByName"].items(), key=lambda entry: entry[1])
    heads = [names[key] for key, _place in order]
    rows: dict[str, dict[str, float]] = {}
    for target in panel["targets"]:
        for _legend, labels, value in source.now(target):
            rows.setdefault(labels[order[0][0]], {})[names[f"Value #{target['refId']}"]] = value
    each = (width - 30) / len(heads)
    drawn = [text(x + 16 + each * place, y + 48, head, 12, "#6e9fff") for place, head in enumerate(heads)]
    for line, (name, values) in enumerate(sorted(rows.items())):
        at = y + 72 + line * 22
        drawn.append(f'<path d="M{x + 12} {at - 16:.1f}H{x + width - 12}" stroke="#2c2f36"/>')
        drawn.append(text(x + 16, at, name))
        for place, head in enumerate(heads[1:], 1):
            value = values.get(head, math.nan)
            words, color = shown(value, override(panel, head, "unit"), override(panel, head, "decimals")), NAMED["text"]
            for mapping in override(panel, head, "mappings") or []:
                low, high = mapping["options"]["from"], mapping["options"]["to"]
                if (low is None or value >= low) and (high is None or value <= high):
                    words, color = mapping["options"]["result"]["text"], NAMED[mapping["options"]["result"]["color"]]
            drawn.append(text(x + 16 + each * place, at, words, 12, color))
    return drawn


def elsewhere(panel: Json, source: Prometheus, x: float, y: float, width: float, height: float) -> list[str]:
    """Of a data source that is not Prometheus."""
    target = panel["targets"][0]
    words = f"{panel['datasource']['type'].capitalize()}: {target.get('expr') or target.get('query')}"
    return [text(x + width / 2, y + height / 2 + 8, words, 13, "#8e8e99", "middle")]


DRAW = {
    "stat": stat,
    "timeseries": timeseries,
    "bargauge": bargauge,
    "table": table,
    "logs": elsewhere,
    "traces": elsewhere,
}


def picture(dashboard: Json, source: Prometheus, caption: str) -> str:
    """The whole dashboard."""
    drawn = [text(12, 30, dashboard["title"], 22), text(12, 52, caption, 12, "#8e8e99")]
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * CELL_WIDTH + GAP, place["y"] * CELL_HEIGHT + TOP + GAP
        width, height = place["w"] * CELL_WIDTH - 2 * GAP, place["h"] * CELL_HEIGHT - 2 * GAP
        if panel["type"] == "row":
            drawn.append(text(x + 8, y + 16, f"▾ {panel['title']}", 14))
            continue
        drawn.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="#181b1f" stroke="#2c2f36"/>'
        )
        drawn.append(text(x + 10, y + 20, panel["title"], 13))
        drawn += DRAW[panel["type"]](panel, source, x, y, width, height)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    size = f'width="{24 * CELL_WIDTH}" height="{rows * CELL_HEIGHT + TOP + 8}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Inter, Helvetica, Arial, sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#111217"/>', *drawn, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dashboard")
    parser.add_argument("prometheus")
    parser.add_argument("--trend", default="24h")
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    variables = {"namespace": "restaurant-management", "trend": options.trend}
    source = Prometheus(options.prometheus, variables, options.minutes * 60)
    caption = (
        "Drawn from the dashboard's JSON and the lab's Prometheus, not by Grafana. "
        f"The last {options.minutes} minutes, "
        f"compared over {options.trend}. The lab runs neither Loki nor Jaeger."
    )
    sys.stdout.write(picture(json.loads((FOLDER / f"{options.dashboard}.json").read_text()), source, caption))


if __name__ == "__main__":
    main()
