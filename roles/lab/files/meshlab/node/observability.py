"""Images of the observability stack's programs, for the pods of ``real_node_apps``.

Each is one static program, at the path and under the user of the official image, with the time zones, which
kube-state-metrics needs for CronJobs. Every tag is the same build.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings
from . import debian
from .archive import Entry, Image
from .contents import TMP, program

NOBODY = "65534:65534"
ZONES = ("tzdata",)


@dataclass(frozen=True)
class Program:
    """``app``: its pods' label. ``tool``: its name among the lab's."""

    app: str
    image: str
    tool: str
    path: str
    user: str = NOBODY


PROGRAMS = (
    Program("jaeger", "docker.io/jaegertracing/jaeger", "jaeger", "cmd/jaeger/jaeger-linux", "10001:10001"),
    Program("prometheus", "quay.io/prometheus/prometheus", "prometheus", "bin/prometheus"),
    Program("alertmanager", "quay.io/prometheus/alertmanager", "alertmanager", "bin/alertmanager"),
    Program(
        "prometheus",
        "quay.io/prometheus-operator/prometheus-config-reloader",
        "prometheus-config-reloader",
        "bin/prometheus-config-reloader",
    ),
    Program("prometheus-node-exporter", "quay.io/prometheus/node-exporter", "node_exporter", "bin/node_exporter"),
    Program(
        "kube-state-metrics",
        "registry.k8s.io/kube-state-metrics/kube-state-metrics",
        "kube-state-metrics",
        "kube-state-metrics",
    ),
)


def programs(settings: Settings) -> list[Program]:
    """Those whose pods run on this lab's node."""
    return [each for each in PROGRAMS if each.app in settings.real_node_apps]


def images(settings: Settings) -> list[Image]:
    """One for each."""
    wanted = programs(settings)
    base = (TMP, *debian.files(ZONES)) if wanted else ()
    return [_image(each, Path(settings.tool(each.tool)), base) for each in wanted]


def _image(each: Program, binary: Path, base: tuple[Entry, ...]) -> Image:
    return Image((each.image,), (base, (program(binary, each.path),)), (f"/{each.path}",), user=each.user)
