# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Extension providers: the names in policies compared with those in MeshConfig."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import action
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    TELEMETRY,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# istiod defines these itself.
_BUILT_IN = {"prometheus": "prometheus", "stackdriver": "stackdriver", "envoy": "envoyFileAccessLog"}
_AUTHORIZERS = {"envoyExtAuthzHttp", "envoyExtAuthzGrpc"}
_FOR = {
    "tracing": {"zipkin", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking", "opentelemetry"},
    "metrics": {"prometheus", "stackdriver"},
    "accessLogging": {"envoyFileAccessLog", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls", "stackdriver"},
}
# What the input lacks without istiod's ConfigMap and option mesh_config.
_MESH_CONFIG = "MeshConfig"


@check(
    code="MESH414",
    level="error",
    title="Unknown authorization provider",
    why="Istio refuses every request to a workload whose CUSTOM policy it cannot evaluate.",
    remedy="Add an envoyExtAuthzHttp or envoyExtAuthzGrpc provider to MeshConfig, or correct the name.",
)
def unknown_authorization_provider(mesh: Mesh, report: Report) -> None:
    known = _providers(mesh)
    for policy in mesh.of(AUTHORIZATION_POLICY):
        name = part(policy.spec, "provider").get("name")
        if action(policy) != "CUSTOM" or not isinstance(name, str):
            continue
        if not mesh.knows_mesh_config:
            report.undecided(_MESH_CONFIG)
        elif problem := _problem(known, name, _AUTHORIZERS):
            report(policy, ("spec", "provider", "name"), problem)


@check(
    code="MESH415",
    level="warning",
    title="Unknown telemetry provider",
    why="Istio ignores a provider that it does not know: no traces, metrics or logs, and no error anywhere.",
    remedy="Add the provider to MeshConfig.extensionProviders, or correct the name.",
)
def unknown_telemetry_provider(mesh: Mesh, report: Report) -> None:
    known = _providers(mesh)
    for telemetry in mesh.of(TELEMETRY):
        for path, section, name in named_providers(telemetry):
            if not mesh.knows_mesh_config:
                _ask_for_mesh_config(report, name)
            elif problem := _problem(known, name, _FOR[section]):
                report(telemetry, path, problem)


@check(
    code="IST0002",
    level="warning",
    title="Deprecated Lightstep provider",
    why="Envoy no longer has Lightstep's own tracer; Lightstep accepts OpenTelemetry.",
    remedy="Use an opentelemetry provider.",
)
def lightstep(mesh: Mesh, report: Report) -> None:
    known = _providers(mesh)
    for telemetry in mesh.of(TELEMETRY):
        for path, section, name in named_providers(telemetry):
            if not mesh.knows_mesh_config:
                _ask_for_mesh_config(report, name)
            elif section == "tracing" and known.get(name) == "lightstep":
                report(telemetry, path, f"provider {name!r} is a Lightstep one, which is deprecated")


def _ask_for_mesh_config(report: Report, name: str) -> None:
    """Without MeshConfig, only the built-in providers are known to exist."""
    if name not in _BUILT_IN:
        report.undecided(_MESH_CONFIG)


def named_providers(telemetry: Resource) -> Iterator[tuple[Path, str, str]]:
    """Path, section and name of each provider."""
    for section in _FOR:
        for index, entry in items(telemetry.spec, section):
            for place, provider in items(entry, "providers"):
                if isinstance(name := provider.get("name"), str) and name:
                    yield ("spec", section, index, "providers", place, "name"), section, name


@once_per_mesh
def _providers(mesh: Mesh) -> dict[str, str]:
    """The type of each provider of MeshConfig; empty if the form is unknown."""
    found = dict(_BUILT_IN)
    for _index, provider in items(mesh.mesh_config, "extensionProviders"):
        found[str(provider.get("name"))] = next((key for key in provider if key != "name"), "")
    return found


def _problem(known: dict[str, str], name: str, wanted: set[str]) -> str:
    if name not in known:
        shown = ", ".join(sorted(known)[:6])
        return f"provider {name!r} is not in MeshConfig.extensionProviders; known providers: {shown}"
    if known[name] and known[name] not in wanted:
        return f"provider {name!r} is {known[name]}, which does not support this"
    return ""
