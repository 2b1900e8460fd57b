# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Names that traffic configuration refers to besides hosts: namespaces, accounts, clusters."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_namespace
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    DEPLOYMENT,
    DESTINATION_RULE,
    NAMESPACE,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE_ENTRY,
    VIRTUAL_SERVICE,
    WORKLOAD_GROUP,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="KIA0005",
    level="error",
    title="exportTo of an unknown namespace",
    why="The object is not visible where it should be.",
    remedy="Correct the name, or create the namespace.",
    needs=[NAMESPACE],
)
def exported_to_unknown_namespace(mesh: Mesh, report: Report) -> None:
    known = {namespace.name for namespace in mesh.of(NAMESPACE)}
    near: Nearest | None = None
    # Files may leave out namespaces of other teams.
    level = "" if NAMESPACE in mesh.settings.listed else "warning"
    for resource in mesh.of(VIRTUAL_SERVICE, DESTINATION_RULE, SERVICE_ENTRY):
        for index, name in texts(resource.spec, "exportTo"):
            if name in ("*", ".", "~") or name in known or name == resource.namespace:
                continue
            if lacking := unseen_namespace(mesh, name):
                report.undecided(lacking)
                continue
            near = near or Nearest(known)
            hint = f"; nearest known name: '{near.find(name)}'" if near.find(name) else ""
            report(resource, ("spec", "exportTo", index), f"namespace '{name}' does not exist{hint}", level=level)


@check(
    code="KIA1701",
    level="warning",
    title="WorkloadGroup of an unknown ServiceAccount",
    why="Machines of the group cannot get an identity, so they cannot join the mesh.",
    remedy="Create the ServiceAccount in the group's namespace, or correct the name.",
    needs=[SERVICE_ACCOUNT],
)
def group_of_unknown_account(mesh: Mesh, report: Report) -> None:
    accounts: dict[str, set[str]] = defaultdict(set)
    for account in mesh.of(SERVICE_ACCOUNT):
        accounts[account.namespace].add(account.name)
    for group in mesh.of(WORKLOAD_GROUP):
        name = part(group.spec, "template").get("serviceAccount")
        known = accounts.get(group.namespace)
        if not known and SERVICE_ACCOUNT not in mesh.settings.listed:
            continue
        if isinstance(name, str) and name not in ("", "default") and name not in (known or ()):
            message = f"ServiceAccount '{name}' does not exist in namespace {group.namespace}"
            report(group, ("spec", "template", "serviceAccount"), message)


@check(
    code="KIA1702",
    level="warning",
    title="WorkloadGroups with the same labels",
    why="The machines of the two groups cannot be distinguished: Services and policies select both.",
    remedy="Give each group a distinct label.",
)
def groups_with_the_same_labels(mesh: Mesh, report: Report) -> None:
    groups: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for group in mesh.of(WORKLOAD_GROUP):
        if labels := part(group.spec, "metadata", "labels"):
            groups[(group.namespace, repr(sorted(labels.items(), key=repr)))].append(group)
    for found in groups.values():
        for group in found if len(found) > 1 else ():
            others = [other for other in found[:4] if other is not group]
            message = f"WorkloadGroup {names(others)} gives its machines the same labels"
            report(group, ("spec", "metadata", "labels"), message)


# What fromRegistry may be without a remote cluster of that name.
_REGISTRIES = {"Mock", "Kubernetes", "External"}


@check(
    code="IST0126",
    level="error",
    title="Unknown registry in meshNetworks",
    why="istiod knows no cluster of that name, so its endpoints belong to no network and are called directly.",
    remedy="Use the name under which the cluster's remote secret is registered, or this cluster's own name.",
    needs=[SECRET],
)
def unknown_network_registry(mesh: Mesh, report: Report) -> None:
    known = set(_REGISTRIES)
    for secret in mesh.of(SECRET):
        if secret.labels.get("istio/multiCluster") == "true":
            known |= {str(key) for field in ("data", "stringData") for key in part(secret.obj, field)}
    for deployment in mesh.of(DEPLOYMENT):
        if deployment.namespace == mesh.settings.root_namespace:
            known |= _own_cluster(deployment)
    for config in mesh.of(CONFIG_MAP):
        if config.namespace != mesh.settings.root_namespace or not config.name.startswith("istio"):
            continue
        text = part(config.obj, "data").get("meshNetworks")
        networks = part(load_one(text) if isinstance(text, str) else None, "networks")
        for network, value in networks.items():
            for _index, endpoint in items(value, "endpoints"):
                registry = endpoint.get("fromRegistry")
                if isinstance(registry, str) and registry not in known:
                    message = f"network '{network}': registry '{registry}' is not a known cluster"
                    report(config, ("data", "meshNetworks"), message)


def _own_cluster(deployment: Resource) -> set[str]:
    """The name that istiod has for the cluster in which it runs."""
    return {
        str(variable.get("value"))
        for _index, container in items(deployment.spec, "template", "spec", "containers")
        for _number, variable in items(container, "env")
        if variable.get("name") == "CLUSTER_ID"
    }
