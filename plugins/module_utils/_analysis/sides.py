# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The side of a request, by the labels on the counters of a stock Istio.

A client's proxy knows the version and workload of a peer that has answered. If the peer has not (timeout, reset,
refused connection), it knows workload and canonical revision only, from istiod's endpoints. If no endpoint was chosen
(none is healthy, the circuit breaker is open, there is no cluster), it knows the service only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORKLOAD, _VERSION, _REVISION = "destination_workload", "destination_version", "destination_canonical_revision"


@dataclass(frozen=True)
class MetricSide:
    """One version of the service in its counters: by its Deployment, or by the label of its pods."""

    subset: str
    version: str
    workload: str = ""

    def owns(self, labels: Mapping[str, str]) -> bool:
        if self.workload and _known(labels, _WORKLOAD):
            return labels[_WORKLOAD] == self.workload
        # A canonical revision is the version, unless the pods' labels override it.
        return next((labels[name] for name in (_VERSION, _REVISION) if _known(labels, name)), None) == self.version


def is_lost(labels: Mapping[str, str]) -> bool:
    """Whether no endpoint was chosen for the request, so that it belongs to neither side."""
    return not any(_known(labels, name) for name in (_WORKLOAD, _VERSION, _REVISION))


def is_of(labels: Mapping[str, str], hosts: Iterable[str]) -> bool:
    """Whether the request was for one of the hosts, by its client's cluster, regardless of its outcome.

    ``hosts``: each a Service and its namespace, such as reviews.bookinfo.
    """
    return labels.get("destination_service", "").startswith(tuple(f"{host}.svc." for host in hosts))


def _known(labels: Mapping[str, str], name: str) -> bool:
    # Istio reports a canonical revision that is not set as latest.
    return labels.get(name, "") not in ("", "unknown", *(["latest"] if name == _REVISION else []))
