# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What each part of a report shows, from the data that `collect` returns: names, units, and what is good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.figures import rate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    ERROR,
    GOOD,
    INFO,
    WARNING,
    Cell,
    Column,
    Facts,
    Picture,
    Section,
    Table,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import FINAL, Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import conclusion, what

Data = Mapping[str, Any]

# The worst first.
HEALTH = {"failed": ERROR, "degraded": WARNING, "healthy": GOOD, "idle": "", NOT_MEASURED: ""}
_SECURITY = {"mutual_tls": "mutual TLS", "plaintext": "plaintext", "refused": "refused: plaintext to STRICT"}
_LEVELS = {"error": ERROR, "warning": WARNING, "info": INFO}
_PHASES: Mapping[str, str] = {
    Phase.SUCCEEDED: GOOD,
    Phase.FAILED: ERROR,
    Phase.ROLLING_BACK: ERROR,
    Phase.PAUSED: WARNING,
    Phase.WAITING: WARNING,
}
_SIGNALS = (
    *("Service", "Health", "#Requests/s", "#Errors %"),
    *("#P50 ms", "#P95 ms", "#P99 ms", "#CPU %", "#Memory %", "#Pods"),
)
# Percent of a limit from which a container has little room left; the same threshold as in the alerts.
_NEARLY_FULL = 80


def columns(*names: str) -> list[Column]:
    """A name that begins with # is a column of numbers, aligned right."""
    return [Column(name.removeprefix("#"), name.startswith("#")) for name in names]


def cluster(data: Data) -> Section:
    pairs = [
        ("Cluster", Cell(data["name"] or "not named")),
        ("Environment", Cell(data["environment"] or "not named")),
        ("API server", Cell(data["server"], code=True)),
        ("Uid of kube-system", Cell(data["uid"] or "not known", code=bool(data["uid"]))),
        ("Kubernetes", Cell(data["kubernetes"])),
        ("Read as", Cell(data["account"], code=True)),
    ]
    rows = [
        [
            Cell(item["version"] or "not known", code=bool(item["version"])),
            Cell(item["os"] or "-"),
            Cell(item["architecture"] or "-"),
            _of(item["ready"], item["count"]),
        ]
        for item in data["nodes"]
    ]
    blocks: list[Facts | Table] = [Facts(pairs)]
    if rows:
        blocks.append(Table("Nodes", columns("Kubelet", "System", "Architecture", "#Ready"), rows))
    return Section("cluster", "Cluster", blocks, notes=data["notes"])


def versions(data: Data) -> Section:
    planes = [
        [
            Cell(item["name"], code=True),
            Cell(item["revision"], code=True),
            Cell(item["version"] or "not in the image's tag", code=bool(item["version"])),
            Cell(item["image"], code=True),
            _of(item["ready"], item["replicas"]),
        ]
        for item in data["control_planes"]
    ]
    proxies = [
        [Cell(item["type"]), Cell(item["version"], code=True), _of(item["in_sync"], item["count"])]
        for item in data["proxies"]["versions"]
    ]
    behind = [[Cell(text, ERROR)] for text in data["proxies"]["behind"]]
    found = [
        Table("Istio's control planes", columns("Name", "Revision", "Version", "Image", "#Ready"), planes),
        Table("Proxies that are connected to them", columns("Type", "Version", "#In sync"), proxies),
        Table("Proxies that are not in sync", columns("Proxy"), behind),
        Table(
            "Helm releases",
            columns("Release", "Chart", "Version", "Application", "#Revision", "Status", "Updated (UTC)"),
            [_release(item) for item in data["releases"]],
        ),
    ]
    nothing = "" if planes else "No control plane of Istio was found in its namespace."
    return Section("versions", "Versions", [table for table in found if table.rows], nothing, data["notes"])


def images(data: Data) -> Section:
    table = Table(
        "Workloads with the images of their containers",
        columns("Workload", "Kind", "Image", "#Ready"),
        [_workload(item) for item in data["workloads"]],
    )
    nothing = "" if table.rows else "No workloads were found."
    return Section("images", "Images", [table] if table.rows else [], nothing)


def _release(item: Data) -> list[Cell]:
    return [
        Cell(f"{item['namespace']}/{item['name']}", code=True),
        Cell(item["chart"] or "not readable", code=bool(item["chart"])),
        Cell(item["version"], code=True),
        Cell(item["app_version"], code=True),
        Cell(str(item["revision"])),
        Cell(item["status"], GOOD if item["status"] == "deployed" else ERROR),
        Cell(item["updated"].replace("T", " ")),
    ]


def _workload(item: Data) -> list[Cell]:
    images = ", ".join(sorted(set(item["images"].values())))
    return [
        Cell(f"{item['namespace']}/{item['name']}", code=True),
        Cell(item["kind"]),
        Cell(images or "the proxy alone", code=bool(images)),
        _of(item["ready"], item["replicas"]),
    ]


def traffic(data: Data) -> Section:
    shown = [item for item in data["services"] if item["workloads"]]
    quiet = ("idle", NOT_MEASURED)
    active = [item for item in shown if item["traffic"] or item["saturation"] or item["health"] not in quiet]
    window = f"over the last {data['window']}"
    services = Table(
        f"Golden signals of the services {window}; CPU and memory in percent of the limit, of the fullest container",
        columns(*_SIGNALS),
        [_service(item) for item in active],
    )
    configured = Table(
        "Services of the mesh with their security and traffic split",
        columns("Service", "Mutual TLS", "Versions", "Split"),
        [_configured(item) for item in shown if item["mtls"] != "none"],
    )
    calls = Table(
        f"Who calls whom {window}",
        columns("Client", "Service", "#Requests/s", "#Errors %", "Security"),
        [_call(item) for item in data["calls"]],
    )
    gateways = Table(
        "Gateways",
        columns("Gateway", "#Port", "Protocol", "Hosts", "TLS", "Routes"),
        [_gateway(item) for item in data["gateways"]],
    )
    tables = [table for table in (services, calls, configured, gateways) if table.rows]
    outside = [f"{item['namespace']}/{item['name']}" for item in shown if item["mtls"] == "none"]
    rest = [Facts([("Services without a sidecar", Cell(", ".join(outside), code=True))])] if outside else []
    nothing = "" if shown else "No services with pods were found."
    if shown and not data["calls"] and not data["notes"]:
        nothing = f"Prometheus has no requests to these services {window}."
    picture = [Picture(data["topology_svg"])] if data["topology_svg"] else []
    return Section("traffic", "Topology and traffic", [*picture, *tables, *rest], nothing, data["notes"])


def _service(item: Data) -> list[Cell]:
    signals = item["traffic"] or {}
    errors = signals.get("error_percent")
    ready = sum(workload["ready"] or 0 for workload in item["workloads"])
    wanted = [workload["replicas"] for workload in item["workloads"]]
    return [
        Cell(f"{item['namespace']}/{item['name']}", code=True),
        Cell(item["health"], HEALTH[item["health"]]),
        Cell(rate(signals["requests_per_second"]) if signals else "-"),
        _number(errors, 2, "" if not errors else ERROR if errors > 5 else WARNING),
        *(_number(signals.get(name), 0) for name in ("p50", "p95", "p99")),
        *(_share(item["saturation"].get(name)) for name in ("cpu", "memory")),
        _of(ready, None if None in wanted else sum(wanted)),
    ]


def _configured(item: Data) -> list[Cell]:
    running = [workload for workload in item["workloads"] if workload["ready"] != 0]
    versions_of_it = sorted({workload["version"] for workload in running if workload["version"]})
    splits = {
        ", ".join(f"{target['subset']} {target['weight']} %" for target in route["destinations"] if target["subset"])
        for route in item["routes"]
    }
    return [
        Cell(f"{item['namespace']}/{item['name']}", code=True),
        Cell(item["mtls"], WARNING if item["mtls"] in ("DISABLE", "mixed") else ""),
        Cell(", ".join(versions_of_it) or "-"),
        Cell("; ".join(sorted(split for split in splits if split)) or "-"),
    ]


def _call(item: Data) -> list[Cell]:
    client, service = item["client"], item["service"]
    errors = item["error_percent"]
    return [
        Cell(f"{client['namespace']}/{client['workload']}", code=True),
        Cell(f"{service['namespace']}/{service['name']}", code=True),
        Cell(rate(item["requests_per_second"])),
        _number(errors, 2, "" if not errors else ERROR if errors > 5 else WARNING),
        Cell(
            _SECURITY.get(item["security"], "not known"),
            {"plaintext": WARNING, "refused": ERROR}.get(item["security"], ""),
        ),
    ]


def _gateway(item: Data) -> list[Cell]:
    tls = f"{item['tls']} {item['credential']}".strip()
    return [
        Cell(f"{item['namespace']}/{item['name']}", code=True),
        Cell(str(item["port"] or "-")),
        Cell(item["protocol"]),
        Cell(", ".join(item["hosts"]), code=True),
        Cell(tls or "none", code=bool(tls)),
        Cell(", ".join(item["virtual_services"]) or "none", code=bool(item["virtual_services"])),
    ]


def validation(data: Data) -> Section:
    facts = [("Found", Cell(conclusion(data["summary"])))]
    if data["undecided"]:
        facts.append(("Undecided for lack of input", Cell(", ".join(sorted(data["undecided"])), code=True)))
    blocks: list[Facts | Table] = [Facts(facts)]
    to_do = [item for item in data["findings"] if item["level"] != INFO]
    to_know = [item for item in data["findings"] if item["level"] == INFO]
    if to_do:
        blocks.append(_findings("Findings, with istioctl's and Kiali's codes where they have one", to_do))
    if to_know:
        number = f"{len(to_know)} finding{'' if len(to_know) == 1 else 's'} of level info"
        blocks.append(_findings("Findings of level info", to_know, folded=number))
    return Section("validation", "Validation", blocks, notes=data["notes"])


def _findings(caption: str, findings: Sequence[Data], folded: str = "") -> Table:
    rows = [
        [
            Cell(item["level"], _LEVELS[item["level"]]),
            Cell(item["code"], code=True),
            Cell(what(item), code=True),
            Cell(item["message"]),
            Cell(item["remedy"]),
        ]
        for item in findings
    ]
    return Table(caption, columns("Level", "Code", "Object", "Problem", "Remedy"), rows, folded)


def canaries(data: Data) -> Section:
    runs = Table(
        "The newest run of each service",
        columns("Service", "Phase", "Canary", "Stable", "Live split", "Started (UTC)", "Owner"),
        [_run(item) for item in data["runs"]],
    )
    blocks = [runs, *(_history(item) for item in data["runs"])] if data["runs"] else []
    blocks += [_drift(data["runs"])] if any(item["drift"] for item in data["runs"]) else []
    nothing = "" if data["runs"] else "No service has a record of a canary."
    return Section("canaries", "Canaries", blocks, nothing, data["notes"])


def _run(item: Data) -> list[Cell]:
    split = ", ".join(f"{side} {weight} %" for side, weight in item["weights"].items())
    holder = f"{item['holder']}{'' if item['holder_alive'] else ' (dead)'}" if item["holder"] else "none"
    ended = item["phase"] in FINAL
    return [
        Cell(f"{item['namespace']}/{item['service']}", code=True),
        Cell(item["phase"], _PHASES.get(item["phase"], INFO)),
        Cell(item["image"], code=True),
        Cell(item["stable_image"], code=True),
        Cell(split or "not known"),
        Cell(moment(item["started"])),
        Cell("run has ended" if ended else holder, "" if ended or item["holder_alive"] else WARNING),
    ]


def _history(item: Data) -> Table:
    rows = [
        [
            Cell(moment(event["at"])),
            Cell(event["phase"], _PHASES.get(event["phase"], "")),
            Cell(f"{event['weight']} %"),
            Cell(event["actor"]),
            Cell(event["reason"] or "-"),
        ]
        for event in item["history"]
    ]
    caption = f"{item['namespace']}/{item['service']}, run {item['run_id']}: {item['reason'] or item['phase']}"
    return Table(caption, columns("At (UTC)", "Phase", "#To the canary", "Who", "Why"), rows)


def _drift(runs: Sequence[Data]) -> Table:
    rows = [
        [Cell(f"{item['namespace']}/{item['service']}", code=True), Cell(text, WARNING)]
        for item in runs
        for text in item["drift"]
    ]
    return Table("Drift: differences from what the runs wrote", columns("Service", "Difference"), rows)


def certificates(data: Data) -> Section:
    rows = [_certificate(item, data["warn_days"]) for item in data["certificates"]]
    named = columns("Where", "Use", "Of", "Used by", "Expires (UTC)", "#Days left")
    caption = "In order of expiry; a chain expires with the first of its certificates"
    blocks = [Table(caption, named, rows)] if rows else []
    nothing = "" if rows else "No certificates were found."
    return Section("certificates", "Certificates", blocks, nothing, data["notes"])


def _certificate(item: Data, warn_days: int) -> list[Cell]:
    days = item["days_left"]
    end = Cell("not known", ERROR) if days is None else Cell(str(days), expiry_tone(days, warn_days))
    return [
        Cell(item["where"], code=True),
        Cell(item["use"]),
        Cell(item["fault"], ERROR) if item["fault"] else Cell(", ".join(item["names"]) or item["subject"], code=True),
        Cell(", ".join(item["used_by"])),
        Cell(moment(item["ends"]) if item["ends"] else "-"),
        end,
    ]


def expiry_tone(days: int, warn_days: int) -> str:
    return ERROR if days < 0 else WARNING if days < warn_days else GOOD


def moment(text: str) -> str:
    """To the second: ``2026-11-25 22:01:02``."""
    return text[:19].replace("T", " ")


def _of(ready: int | None, wanted: int | None) -> Cell:
    if wanted is None:
        return Cell("-" if ready is None else str(ready))
    known = "?" if ready is None else str(ready)
    tone = "" if wanted == 0 or ready is None else WARNING if ready < wanted else ""
    return Cell(f"{known} of {wanted}", ERROR if wanted and ready == 0 else tone)


def _number(value: float | None, digits: int, tone: str = "") -> Cell:
    return Cell("-" if value is None else f"{value:.{digits}f}", tone)


def _share(percent: float | None) -> Cell:
    return _number(percent, 1, WARNING if percent is not None and percent >= _NEARLY_FULL else "")
