# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Failures of the service that no metric of a run counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import BUILT_IN, GRPC, SUCCESS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import GRPCRoute
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.protocols import protocol_of


def unmeasured(kind: type[Route], service: Object | None, metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line if the service speaks gRPC and no metric counts its errors.

    ``kind``: of the routes. ``service``: the Service, None if it does not exist. ``metrics``: the option of module
    canary. A metric with a query of its own may count whatever it likes.
    """
    names = {metric["name"] for metric in metrics}
    ports = service["spec"].get("ports") or [] if service else []
    if kind is not GRPCRoute and not any(protocol_of(port) == "grpc" for port in ports):
        return []
    if not names or GRPC in names or not names <= set(BUILT_IN):
        return []
    # Where the codes of failures are stated, only these count.
    if any(metric["name"] == SUCCESS and not metric.get("error_codes") for metric in metrics):
        return []
    return [f"no metric counts gRPC errors, because their response code is 200: add {GRPC} to metrics"]
