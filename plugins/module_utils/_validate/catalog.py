# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Every check. A file of checks that is not named here is not run."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import CHECKS, Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks import (  # noqa: F401  # pylint: disable=unused-import
    ambient_policies,
    ambient_routing,
    ambient_workloads,
    application_pods,
    authorization_effect,
    authorization_mtls,
    authorization_names,
    authorization_principals,
    canary_leftovers,
    control_plane_certificates,
    delegates,
    destination_rule_overlap,
    destination_rules,
    destination_tls,
    envoy_filters,
    export_scopes,
    extensions,
    gateway_api_gateways,
    gateway_api_routes,
    gateway_api_versions,
    gateway_secrets,
    gateway_servers,
    gateway_use,
    injected_pods,
    istio_annotations,
    mtls_clients,
    mtls_hosts,
    mtls_wide,
    namespaces,
    policy_selection,
    precheck,
    providers,
    proxy_versions,
    repeated_objects,
    retry_storms,
    route_retries,
    route_weights,
    running_proxies,
    schema_deprecated,
    schema_istiod,
    schema_mesh_config,
    schema_metadata,
    schema_routes,
    schema_structure,
    service_endpoints,
    service_entries,
    service_ports,
    sidecars,
    status_conditions,
    telemetry,
    tokens,
    virtual_service_gateways,
    virtual_service_hosts,
    virtual_service_overlap,
    webhooks,
    writers,
)


def all_checks() -> list[Check]:
    return list(CHECKS)
