# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Every check. A file of checks runs only if it is imported here."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import CHECKS, Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.ambient import (  # noqa: F401  # pylint: disable=unused-import,reimported
    policies,
    routing,
    workloads,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.control_plane import (  # noqa: F401  # pylint: disable=unused-import,reimported
    control_plane_certificates,
    envoy_filters,
    extensions,
    precheck,
    providers,
    proxy_versions,
    running_proxies,
    status_conditions,
    telemetry,
    webhooks,
    writers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.gateways import (  # noqa: F401  # pylint: disable=unused-import,reimported
    gateway_api_gateways,
    gateway_api_routes,
    gateway_api_versions,
    gateway_secrets,
    gateway_servers,
    gateway_use,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.routing import (  # noqa: F401  # pylint: disable=unused-import,reimported
    canary_leftovers,
    delegates,
    destination_rule_overlap,
    destination_rules,
    export_scopes,
    gateway_protocols,
    retry_storms,
    route_retries,
    route_weights,
    service_entries,
    sidecars,
    virtual_service_gateways,
    virtual_service_hosts,
    virtual_service_overlap,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.schema import (  # noqa: F401  # pylint: disable=unused-import,reimported
    deprecated,
    istiod,
    mesh_config,
    metadata,
    routes,
    structure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.security import (  # noqa: F401  # pylint: disable=unused-import,reimported
    authorization_effect,
    authorization_mtls,
    authorization_names,
    authorization_patterns,
    authorization_principals,
    authorization_wider,
    destination_tls,
    mtls_clients,
    mtls_hosts,
    mtls_wide,
    policy_selection,
    tokens,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.upgrade import (  # noqa: F401  # pylint: disable=unused-import,reimported
    ambient_defaults,
    blocked_addresses,
    envoy_filter_versions,
    gateway_api_readers,
    istiod_settings,
    observability,
    traffic_defaults,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.workloads import (  # noqa: F401  # pylint: disable=unused-import,reimported
    application_pods,
    injected_pods,
    istio_annotations,
    namespaces,
    repeated_objects,
    service_endpoints,
    service_ports,
)


def all_checks() -> list[Check]:
    return list(CHECKS)
