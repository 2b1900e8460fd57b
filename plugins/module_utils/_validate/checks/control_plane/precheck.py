# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istioctl checks before an installation or upgrade (``x precheck``)."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CUSTOM_RESOURCE_DEFINITION,
    SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_RETIRED = ("ClusterRbacConfig", "RbacConfig", "ServiceRole", "ServiceRoleBinding")
# Of Istio's releases, according to their own precheck.
_OLDEST_KUBERNETES = (1, 32)
# Up to this release, proxies sent traces to zipkin.istio-system by default.
_LAST_WITH_ZIPKIN = (1, 21)


@check(
    code="IST0002",
    level="warning",
    title="Retired kind of Istio",
    why="Istio has ignored it since 1.6: policies of this kind protect nothing.",
    remedy="Delete its objects, then the CRD. AuthorizationPolicy replaced it.",
    alone=True,
)
def retired_crd(mesh: Mesh, report: Report) -> None:
    for crd in mesh.of(CUSTOM_RESOURCE_DEFINITION):
        kind = part(crd.spec, "names").get("kind")
        if crd.spec.get("group") == "rbac.istio.io" and kind in _RETIRED:
            report(crd, ("spec", "names", "kind"), f"Istio no longer reads {kind} of rbac.istio.io")


@check(
    code="IST0141",
    level="error",
    title="Missing rights for an installation",
    why="The installation would stop halfway.",
    remedy="Install with an account that may create these kinds.",
    live=True,
)
def missing_rights(mesh: Mesh, report: Report) -> None:
    """facts["denied"]: [{resource, reason}], answers of SelfSubjectAccessReviews for create."""
    for _index, denied in items(mesh.settings.facts, "denied"):
        reason = denied.get("reason") or "permission denied"
        report(_cluster(), (), f"the account may not create {denied.get('resource')}: {reason}")


@check(
    code="IST0142",
    level="error",
    title="Kubernetes is too old",
    why="Istio is not tested with it, and uses APIs that it lacks.",
    remedy="Upgrade the cluster first.",
    live=True,
)
def old_kubernetes(mesh: Mesh, report: Report) -> None:
    """facts["kubernetes_version"]: as the API server has it; facts["minimum_kubernetes_version"]: another minimum."""
    facts = mesh.settings.facts
    version = facts.get("kubernetes_version")
    oldest = minor_of(facts.get("minimum_kubernetes_version")) or _OLDEST_KUBERNETES
    minor = minor_of(version)
    if minor is not None and minor < oldest:
        report(_cluster(), (), f"the cluster runs Kubernetes {version}; Istio needs {oldest[0]}.{oldest[1]} or newer")


@check(
    code="IST0169",
    level="warning",
    title="Traces stop with the upgrade",
    why="From 1.22 on, proxies send no traces to zipkin.istio-system unless a Telemetry configures it.",
    remedy="Declare a provider and a Telemetry, or install with compatibilityVersion=1.21.",
    live=True,
)
def upgrade_ends_traces(mesh: Mesh, report: Report) -> None:
    """facts["from_version"]: the release before the upgrade."""
    earlier = minor_of(mesh.settings.facts.get("from_version"))
    service = mesh.find(SERVICE, mesh.settings.root_namespace, "zipkin")
    if earlier is not None and earlier <= _LAST_WITH_ZIPKIN and service is not None:
        report(
            service,
            ("metadata", "name"),
            "meshConfig.defaultConfig.tracing changed in 1.22: traces no longer arrive here",
        )


def _cluster() -> Resource:
    return Resource({"apiVersion": "v1", "kind": "Cluster", "metadata": {"name": "cluster"}}, default_namespace="")
