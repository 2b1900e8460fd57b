# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a run is measured: the names of its two sides in the metrics, and the proxies that count its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import (
    metrics_of,
    rates_of,
    source_of,
    target_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Slot, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import interval_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import SPLIT
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster

Subsets = Mapping[str, Mapping[str, str]]


def watch_of(
    params: Mapping[str, Any], namespace: str, state: State, cluster: MeshCluster, subsets: Callable[[], Subsets]
) -> Watch | None:
    """The measurements of the run. None in a rollback, or if nothing is measured. Raises AnalysisFailure.

    ``params``: the call's options, with the run's terms.
    """
    # The caller of a rollback may not have a provider of metrics.
    if state.phase.ending:
        return None
    unmeasured = state.strategy == SPLIT or bool(state.undoes) or params["state"] not in ("progressed", "resumed")
    if unmeasured and not params["metrics"]:
        return None
    full = measured(params, namespace, state, subsets())
    metrics = metrics_of(full)
    target = target_of(full, _backends(namespace, state))
    source = source_of(full, cluster, metrics, target)
    return Watch(metrics, target, source, interval_of(params), params["min_share"], rates=rates_of(params))


def _backends(namespace: str, state: State) -> list[str]:
    """The Services that get the requests, if each side is one."""
    if not kind_called(state.where.kind).by_service:
        return []
    places = (service_of(slot.subset, namespace) for slot in (state.stable, state.canary))
    return [f"{name}.{place}" for place, name in places]


def measured(params: Mapping[str, Any], namespace: str, state: State, subsets: Subsets) -> dict[str, Any]:
    """The options of an analysis, for the run. ``subsets``: the DestinationRule's subsets and their labels."""
    provider = params["provider"]
    own = {"namespace": namespace, "labels": ""}
    if provider["clients"] and own not in provider["clients"] and any(step.mirror for step in state.steps):
        # Only the service's own proxies count copies.
        provider = {**provider, "clients": [*provider["clients"], own]}
    return {
        **params,
        "provider": provider,
        "stable": _metric_side(params["stable"], state.stable, subsets),
        "canary": _metric_side(params["canary"], state.canary, subsets),
        "since": str(state.since or state.started),
    }


def _metric_side(given: Mapping[str, Any], slot: Slot, subsets: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The slot's Deployment and its pods' version, unless the options override them."""
    return {
        "subset": slot.subset,
        "version": given.get("version") or subsets.get(slot.subset, {}).get("version", ""),
        "workload": given.get("workload") or slot.workload,
    }
