# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Settings of istiod and of its installation that an upgrade removes, or gives another meaning."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import CONFIG_MAP
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import (
    OPERATORS,
    is_crossed,
    istiod_environment,
    page_of,
)

_INJECTOR = "istio-sidecar-injector"
_PROXY_IMAGE = "sidecar.istio.io/proxyImage"


@check(
    code="MESH610",
    level="warning",
    title="Upgrade: images from a retired registry",
    why="Istio 1.31 and newer is not published there, and Istio retires the address in December 2026: new pods cannot "
    "pull the image.",
    remedy="Use docker.io/istio or a mirror of your own: global.hub of the charts, and the pod templates that name it.",
    docs="https://istio.io/latest/blog/2026/retirement-of-gcp/",
    alone=True,
)
def retired_registry(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 31)):
        return
    # Here, because it also imports what reads Helm's releases.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
        retired_address,
    )

    for workload in mesh.workloads:
        pod = workload.template
        for field in ("initContainers", "containers"):
            for index, container in items(workload.pod_spec, field):
                if address := retired_address(str(container.get("image") or "")):
                    path = (*pod, "spec", field, index, "image")
                    report(workload.resource, path, f"the image is from {address}")
        if address := retired_address(str(workload.annotations.get(_PROXY_IMAGE) or "")):
            report(workload.resource, (*pod, "metadata", "annotations", _PROXY_IMAGE), f"the image is from {address}")
    for config_map in mesh.of(CONFIG_MAP):
        address = retired_address(str(part(config_map.obj, "data").get("values") or ""))
        if address and config_map.name.startswith(_INJECTOR):
            report(config_map, ("data", "values"), f"injected proxies are from {address}")
    for operator in mesh.of(*OPERATORS):
        for keys in (("hub",), ("values", "global", "hub")):
            hub = part(operator.spec, *keys[:-1]).get(keys[-1])
            if address := retired_address(str(hub or "")):
                report(operator, ("spec", *keys), f"the images are from {address}")


@check(
    code="MESH613",
    level="warning",
    title="Upgrade: istiod no longer has the variable",
    why="istiod ignores a variable that it does not know, so the new behaviour applies. From Istio 1.31 on, gateways "
    "always create a span of their own for each request to an upstream.",
    remedy="Remove the variable, and expect more spans from gateways.",
    docs=page_of((1, 31)),
    alone=True,
)
def removed_variable(mesh: Mesh, report: Report) -> None:
    for variable in istiod_environment(mesh) if is_crossed(mesh, (1, 31)) else ():
        if variable.name == "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY" and variable.value == "false":
            report(variable.resource, variable.path, f"Istio 1.31 ignores {variable.name}={variable.value}")


@check(
    code="MESH616",
    level="warning",
    title="Upgrade: default visibility becomes wider",
    why="If the default begins with '.', istiod ignored the other namespaces in it. From Istio 1.31 on (and 1.30.3), "
    "they see the services, too.",
    remedy="Remove the namespaces that should not see them from the default in MeshConfig.",
    docs=page_of((1, 31), "change-notes"),
)
def wider_default(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 31)):
        return
    for config_map in mesh.of(CONFIG_MAP):
        if config_map.name != "istio" or config_map.namespace != mesh.settings.root_namespace:
            continue
        for field in ("defaultServiceExportTo", "defaultVirtualServiceExportTo"):
            default = [name for _index, name in texts(mesh.mesh_config, field)]
            others = [name for name in default if name not in (".", "*", "~")]
            if others and "." in default and "*" not in default:
                report(config_map, ("data", "mesh"), f"{field} will also export to {', '.join(others)}")
