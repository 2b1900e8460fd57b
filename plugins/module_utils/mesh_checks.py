# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names for writing custom checks of mesh_validate. Unlike the rest of module_utils, this is a public interface.

docs/validation.md has an example; _validate/check.py, mesh.py and resource.py describe each name.
"""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    DEPLOYMENT,
    DESTINATION_RULE,
    ENVOY_FILTER,
    GATEWAY,
    HTTP_ROUTE,
    K8S_GATEWAY,
    NAMESPACE,
    PEER_AUTHENTICATION,
    POD,
    REQUEST_AUTHENTICATION,
    SERVICE,
    SERVICE_ENTRY,
    SIDECAR,
    TELEMETRY,
    VIRTUAL_SERVICE,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

__all__ = [
    "AUTHORIZATION_POLICY",
    "DEPLOYMENT",
    "DESTINATION_RULE",
    "ENVOY_FILTER",
    "GATEWAY",
    "HTTP_ROUTE",
    "K8S_GATEWAY",
    "NAMESPACE",
    "PEER_AUTHENTICATION",
    "POD",
    "REQUEST_AUTHENTICATION",
    "SERVICE",
    "SERVICE_ENTRY",
    "SIDECAR",
    "TELEMETRY",
    "VIRTUAL_SERVICE",
    "Kind",
    "Mesh",
    "Path",
    "Report",
    "Resource",
    "Workload",
    "check",
    "items",
    "part",
    "texts",
]
