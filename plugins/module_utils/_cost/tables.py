# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The bill for people: tables for a terminal, for Markdown and for the page of a report."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import visible
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.pods import MESH, OBSERVABILITY, OTHERS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.right_size import (
    FITS,
    LOWER,
    NO_DATA,
    RAISE,
    RESOURCES,
    TOO_LITTLE,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    ERROR,
    GOOD,
    WARNING,
    Cell,
    Column,
    Document,
    Section,
    Table,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.markdown import markdown as as_markdown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import readable

# The width of a terminal's line, and of one of its columns; longer text is wrapped.
_WIDTH, _WIDEST = 118, 42
# Columns that are shown below their row, by the name of the last one.
_BELOW = {"trade-off": 2, "risk": 1}
_NONE = Cell("-")


def blocks(bill: Mapping[str, Any]) -> list[Table]:
    """Every table of the bill that is not empty."""
    found = [
        _components(bill),
        _sidecars(bill),
        _optimizations(bill),
        _right_sizing(bill),
        _unproposed(bill),
        _volumes(bill),
        _load_balancers(bill),
        _prices(bill),
    ]
    return [table for table in found if table.rows]


def markdown(bill: Mapping[str, Any], title: str) -> str:
    section = Section("cost", "Cost", blocks(bill), notes=bill["notes"])
    return as_markdown(Document(title, summary(bill), "", sections=[section]))


def summary(bill: Mapping[str, Any]) -> str:
    """One line."""
    added = bill["totals"]["added"]
    text = f"mesh and observability: {_money(added['cost']['total'])} {bill['currency']} a month"
    return f"{text}, {_money(bill['optimized'])} with all five optimizations"


def lines(bill: Mapping[str, Any]) -> list[str]:
    """For a terminal. Ansible's YAML output breaks lines at single spaces, so numbers far on the right have none."""
    found: list[str] = []
    for table in blocks(bill):
        found += [*_rendered(table, _BELOW.get(table.columns[-1].name, 0)), ""]
    return [*found, summary(bill)]


def _components(bill: Mapping[str, Any]) -> Table:
    rows = []
    for group, total in ((MESH, ""), (OBSERVABILITY, "mesh and observability"), (OTHERS, "everything")):
        rows += [_component(item["component"], item) for item in bill["components"] if item["group"] == group]
        if total:
            rows.append(_component(total, bill["totals"]["all" if group == OTHERS else "added"], GOOD))
    names = ("pods", "CPU", "memory", "used CPU", "used memory", "volumes", "LBs")
    columns = [Column("component"), *(Column(name, True) for name in names), Column(bill["currency"], True)]
    return Table("A month, by component", [*columns, Column("nodes%", True)], rows)


def _component(name: str, item: Mapping[str, Any], tone: str = "") -> list[Cell]:
    used, share = item["used"], item["node_percent"]
    # Nothing is known about the others.
    at_least = ">" if used and used["containers"] < item["containers"] else ""
    sizes = ", ".join(f"{storage}:{_size(size)}" for storage, size in item["storage_by_class"].items())
    return [
        Cell(name, tone),
        Cell(str(item["pods"]) if item["pods"] or not item["containers"] else f"in {item['containers']}"),
        Cell(_cores(item["cpu"])),
        Cell(_size(item["memory"])),
        Cell(at_least + _cores(used["cpu"])) if used else _NONE,
        Cell(at_least + _size(used["memory"])) if used else _NONE,
        Cell(sizes) if sizes else _NONE,
        Cell(str(item["load_balancers"])) if item["load_balancers"] else _NONE,
        Cell(_money(item["cost"]["total"])),
        _NONE if share is None else Cell(f"{share:.1f}"),
    ]


def _sidecars(bill: Mapping[str, Any]) -> Table:
    item = bill["sidecars"]
    columns = [Column(""), Column("CPU", True), Column("memory", True), Column(bill["currency"], True)]
    caption = f"What {item['count']} sidecars add to their pods"
    if not item["count"]:
        return Table(caption, columns, [])
    used, beside = item["used"], item["beside"]
    rows = [
        _row("requested", _cores(item["cpu"]), _size(item["memory"]), _money(item["cost"])),
        _row("requested by the other containers", _cores(beside["cpu"]), _size(beside["memory"]), "-"),
        _row("increase", _percent(item["cpu_percent"]), _percent(item["memory_percent"]), "-"),
    ]
    if used:
        rows.append(
            _row(f"used by {used['containers']}", _cores(used["cpu"]), _size(used["memory"]), _money(used["cost"]))
        )
    else:
        rows.append(_row("used", "no data", "no data", "-"))
    return Table(caption, columns, rows)


def _optimizations(bill: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(item["title"]),
            Cell("unknown", WARNING) if item["saves"] is None else Cell(_money(item["saves"])),
            Cell(item["now"]),
            Cell(item["how"], code=True),
            Cell(item["costs"]),
        ]
        for item in bill["optimizations"]
    ]
    names = ("now", "set", "trade-off")
    columns = [Column("what"), Column(f"saves {bill['currency']}", True), *(Column(name) for name in names)]
    return Table("The document's optimizations", columns, rows)


def _right_sizing(bill: Mapping[str, Any]) -> Table:
    rows = []
    for item in bill["right_sizing"]:
        wanted = [item[resource]["verdict"] in (LOWER, RAISE) for resource in RESOURCES]
        if not any(wanted) and not item["risks"]:
            continue
        cpu, memory = item["cpu"], item["memory"]
        rows.append(
            [
                Cell(_container(item)),
                Cell(str(item["pods"])),
                Cell(_cores(cpu["request"])),
                Cell(_known(cpu["p95"], _cores)),
                Cell(_proposed(cpu, _cores)),
                Cell(_size(memory["request"])),
                Cell(_known(memory["p95"], _size)),
                Cell(_known(memory["peak"], _size)),
                Cell(_proposed(memory, _size)),
                Cell(_money(item["saves"])),
                Cell(", ".join(f"{name}:{share:.0%}" for name, share in item["autoscaled"].items()) or "-"),
                Cell("; ".join(item["risks"]), ERROR) if item["risks"] else _NONE,
            ]
        )
    names = ("pods", "CPU", "P95", "propose", "memory", "P95", "peak", "propose", bill["currency"])
    columns = [Column("container"), *(Column(name, True) for name in names)]
    columns += [Column("autoscaled"), Column("risk")]
    caption = (
        f"Right-sizing, by the last {bill['window']}: saves {_money(bill['right_sizing_saves'])} {bill['currency']}"
    )
    return Table(caption, columns, rows)


def _proposed(judged: Mapping[str, Any], shown: Any) -> str:
    return shown(judged["proposed"]) if judged["proposed"] is not None else str(judged["verdict"])


def _unproposed(bill: Mapping[str, Any]) -> Table:
    """Containers without a proposal, so that silence is not taken for approval."""
    rows = []
    for verdict in (FITS, TOO_LITTLE, NO_DATA):
        names = [
            _container(item)
            for item in bill["right_sizing"]
            if all(item[resource]["verdict"] == verdict for resource in RESOURCES)
        ]
        if names:
            rows.append([Cell(verdict), Cell(str(len(names))), Cell(", ".join(names))])
    return Table("Right-sizing without a proposal", [Column("why"), Column("containers", True), Column("which")], rows)


def _volumes(bill: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(f"{item['namespace']}/{item['name']}"),
            Cell(item["component"]),
            Cell(item["storage_class"]),
            Cell(_size(item["size"])),
            Cell(_money(item["cost"])),
            Cell(", ".join(item["used_by"])) if item["used_by"] else Cell("none", WARNING),
        ]
        for item in bill["volumes"]
    ]
    columns = [Column("claim"), Column("component"), Column("class"), Column("size", True)]
    return Table("Volumes", [*columns, Column(bill["currency"], True), Column("used by")], rows)


def _load_balancers(bill: Mapping[str, Any]) -> Table:
    rows = [
        _row(f"{item['namespace']}/{item['name']}", item["component"], _money(item["cost"]))
        for item in bill["load_balancers"]
    ]
    return Table("Load balancers", [Column("service"), Column("component"), Column(bill["currency"], True)], rows)


def _prices(bill: Mapping[str, Any]) -> Table:
    prices = bill["prices"]
    rows = [
        _row(name, f"{item['price']:g}", item["date"], item["source"]) for name, item in sorted(prices["used"].items())
    ]
    caption = f"Prices: {prices['name']}, in {bill['currency']}, a month of {prices['hours_per_month']:g} hours"
    return Table(caption, [Column("of"), Column("price", True), Column("date"), Column("source")], rows)


def _row(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def _container(item: Mapping[str, Any]) -> str:
    """Its name is shown if the workload has another one."""
    if not item["namespace"]:
        return str(item["workload"])
    name = "" if item["container"] == item["workload"] else f" {item['container']}"
    return f"{item['namespace']}/{item['workload']}{name}"


def _money(amount: float) -> str:
    return f"{amount:.2f}"


def _cores(amount: float) -> str:
    return f"{round(amount * 1000)}m"


def _size(amount: float) -> str:
    return readable(Decimal(amount))


def _percent(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:g} %"


def _known(amount: float | None, shown: Any) -> str:
    return "-" if amount is None else shown(amount)


def _rendered(table: Table, below: int) -> Iterator[str]:
    """Columns side by side, except the last ``below`` ones; a cell that is too wide continues in the next line."""
    columns = table.columns[: len(table.columns) - below]
    names = [column.name for column in columns]
    rows = [[visible(cell.text) for cell in row] for row in table.rows]
    wrapped = [[_wrap(text, _WIDEST) for text in row[: len(columns) - 1]] for row in rows]
    widths = [
        max(len(part) for part in (name, *(part for row in wrapped for part in row[place])))
        for place, name in enumerate(names[:-1])
    ]
    left = max(_WIDTH - sum(widths) - 2 * len(columns), len(names[-1]), 20)
    for row, texts in zip(wrapped, rows, strict=True):
        row.append(_wrap(texts[len(columns) - 1], left))
    widths.append(max(len(part) for part in (names[-1], *(part for row in wrapped for part in row[-1]))))
    yield table.caption
    yield _line(names, widths, columns)
    for row, texts in zip(wrapped, rows, strict=True):
        for number in range(max(len(cell) for cell in row)):
            yield _line([cell[number] if number < len(cell) else "" for cell in row], widths, columns)
        for column, text in zip(table.columns[len(columns) :], texts[len(columns) :], strict=True):
            if text not in ("", _NONE.text):
                yield from textwrap.wrap(
                    f"{column.name}: {text}",
                    _WIDTH,
                    initial_indent="      ",
                    subsequent_indent="        ",
                    break_on_hyphens=False,
                )


def _wrap(text: str, width: int) -> list[str]:
    # Names of Kubernetes are not broken at their hyphens.
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _line(texts: Iterable[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    cells = (
        f"{text:>{width}}" if column.is_number else f"{text:<{width}}"
        for text, width, column in zip(texts, widths, columns, strict=True)
    )
    return f"  {'  '.join(cells)}".rstrip()
