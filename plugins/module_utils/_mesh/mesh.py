# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All resources of one validation, with indexes for what checks ask for repeatedly.

Nothing here judges. For anything that the input does not show, the answer is empty (or None).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    DESTINATION_RULE,
    KINDS,
    NAMESPACE,
    PEER_AUTHENTICATION,
    POD,
    SERVICE,
    SERVICE_ENTRY,
    VIRTUAL_SERVICE,
    WORKLOAD_KINDS,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import Destination, destinations_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import HostRegistry
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import (
    LabelIndex,
    Workload,
    has_pod_template,
    workloads_of,
)

INJECT = "sidecar.istio.io/inject"
REVISION = "istio.io/rev"
INJECTION = "istio-injection"
DATAPLANE = "istio.io/dataplane-mode"
# The API server adds it to each Namespace.
NAME_LABEL = "kubernetes.io/metadata.name"
_POD_NAME = "statefulset.kubernetes.io/pod-name"
# Labels that controllers add to pods; no template has them.
MADE_BY_CONTROLLERS = {
    _POD_NAME,
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "job-name",
    "pod-template-hash",
    "rollouts-pod-template-hash",
}


# In settings.facts: versions given by an option or by the cluster. A missing one is not known.
ISTIO_VERSION = "istio_release"
# The version that the mesh will be upgraded to; without it, no check is about an upgrade.
TARGET_VERSION = "target_release"
GATEWAY_VERSION = "gateway_api_version"
GATEWAY_CHANNEL = "gateway_api_channel"
# Files, charts and kustomizations of the input whose objects are not known: invalid ones, and templates.
NOT_READ = "not_read"
# Folders with a README.
GUIDED = "guided"
# Namespaces of kustomizations that were read as parts of others with another namespace only.
REPLACED = "replaced"
# Files that charts made with their own values only: a user's values may complete them.
OWN_VALUES = "own_values"
# Called without arguments: labels that scripts beside the files give Namespaces, see reading/scripts.py.
SCRIPTED_LABELS = "scripted_labels"
# Called with the names of files: pairs of which a guide deletes one before it applies the other one, or of which
# Skaffold deploys one at a time.
NEVER_TOGETHER = "never_together"
# The name of another cluster of the mesh -> its Services.
SERVICES_BY_CLUSTER = "services_by_cluster"

_CONTROL_PLANE = Kind("maistra.io", "ServiceMeshControlPlane")


class Settings(NamedTuple):
    """What is true of the mesh apart from its objects.

    listed: kinds that were read from the API server completely, so that an absent object does not exist.
    mesh_config: MeshConfig if it is given separately; otherwise istiod's ConfigMap in the input is read.
    now: seconds since the epoch, for certificates. facts: what only a running mesh knows, see the live checks.
    """

    root_namespace: str = "istio-system"
    cluster_domain: str = "cluster.local"
    trust_domain: str = "cluster.local"
    listed: frozenset[Kind] = frozenset()
    mesh_config: Object | None = None
    now: float = 0.0
    facts: Mapping[str, Any] = MappingProxyType({})


class Mesh:
    """The resources and their indexes."""

    def __init__(
        self, resources: Iterable[Resource], settings: Settings | None = None, whole: Mesh | None = None
    ) -> None:
        """``whole``: the mesh that this one is a part or a variant of, see definitions.py."""
        self.settings = settings or Settings()
        self._whole = whole
        self._by_kind: dict[Kind, list[Resource]] = defaultdict(list)
        self._by_identity: dict[tuple[Kind, str, str], Resource] = {}
        self._nameless: list[Resource] = []
        # Many checks ask for these, for each of thousands of workloads, by ``id(workload)``.
        self._sidecars: dict[int, bool | None] = {}
        # All definitions, in order, of each object that the input defines more than once. The mesh has the last one.
        self.definitions: dict[tuple[Kind, str, str], list[Resource]] = {}
        # The results of per_mesh.once_per_mesh, by function.
        self.kept: dict[Callable[..., Any], Any] = {}
        # By the id of the Service.
        self._behind: dict[int, list[Workload]] = {}
        for resource in resources:
            self._add(resource)
        for resource in self.all():
            self._by_kind[resource.kind].append(resource)

    def _add(self, resource: Resource) -> None:
        if not resource.name:
            self._nameless.append(resource)
            return
        identity = resource.identity
        earlier = self._by_identity.get(identity)
        if earlier is not None and earlier.is_live == resource.is_live:
            self.definitions.setdefault(identity, [earlier]).append(resource)
        # As with kubectl the last definition wins; but files override the cluster, whatever comes first.
        if earlier is None or earlier.is_live or not resource.is_live:
            self._by_identity[identity] = resource

    # ---- the objects

    @property
    def whole(self) -> Mesh:
        """The mesh to ask for what is true of the cluster, and of the input as such."""
        return self._whole or self

    def of(self, *kinds: Kind) -> list[Resource]:
        """All resources of the kinds, in the order of the input."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], [])
        return [resource for kind in kinds for resource in self._by_kind.get(kind, ())]

    def find(self, kind: Kind, namespace: str, name: str) -> Resource | None:
        return self._by_identity.get((kind, namespace, name))

    def all(self) -> list[Resource]:
        return [*self._by_identity.values(), *self._nameless]

    def all_definitions(self) -> list[Resource]:
        """Those that later ones overrule, too. A mesh of some of them chooses among these in the same way."""
        return [copy for found in self.definitions.values() for copy in found[:-1]] + self.all()

    @property
    def kinds(self) -> list[Kind]:
        return [kind for kind, found in self._by_kind.items() if found]

    def knows(self, kind: Kind) -> bool:
        """Whether the absence of an object of the kind means something.

        Mesh configuration is assumed to be complete, as istioctl and Kiali do; files often lack Kubernetes' own kinds.
        """
        if kind.group.endswith("istio.io") or kind in self.settings.listed or self._by_kind.get(kind):
            return True
        return kind == POD and bool(self.workloads)

    # ---- namespaces and injection

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """None if the input does not have the Namespace."""
        found = self.find(NAMESPACE, "", namespace)
        return None if found is None else found.labels

    def is_ambient(self, workload: Workload) -> bool:
        mode = workload.labels.get(DATAPLANE) or (self.namespace_labels(workload.namespace) or {}).get(DATAPLANE)
        return mode == "ambient" and not workload.has_proxy

    def has_sidecar(self, workload: Workload) -> bool | None:
        """Whether its pods have a proxy, or will get one; None if the input does not show it."""
        if id(workload) not in self._sidecars:
            self._sidecars[id(workload)] = self._gets_sidecar(workload)
        return self._sidecars[id(workload)]

    def _gets_sidecar(self, workload: Workload) -> bool | None:
        if workload.has_proxy:
            return True
        if workload.pods and workload.resource.kind != POD:
            return False
        wish = str(workload.labels.get(INJECT) or workload.annotations.get(INJECT) or "").lower()
        if workload.pod_spec.get("hostNetwork") or wish == "false":
            return False
        if workload.resource.kind == POD and workload.resource.is_live:
            return False
        labels = self.namespace_labels(workload.namespace)
        if labels is None:
            return True if wish == "true" else None
        switch = labels.get(INJECTION)
        if switch == "disabled" or (switch is None and labels.get(REVISION) is None):
            return switch != "disabled" and (wish == "true" or REVISION in workload.labels)
        return True

    # ---- workloads

    @cached_property
    def workloads(self) -> list[Workload]:
        others = [kind for kind in self.kinds if kind not in KINDS]
        return workloads_of([*self.of(*WORKLOAD_KINDS), *filter(has_pod_template, self.of(*others))])

    @cached_property
    def labels(self) -> LabelIndex:
        return LabelIndex(self.workloads)

    def selected(self, namespace: str, selector: Mapping[str, Any]) -> list[Workload]:
        """Workloads of the namespace with the labels; in the root namespace, workloads of every namespace."""
        if namespace == self.settings.root_namespace:
            return list(self.labels.everywhere(selector))
        return self.labels.matching(namespace, selector)

    def behind(self, service: Resource) -> list[Workload]:
        """Workloads that a Service selects; none if it has no selector."""
        found = self._behind.get(id(service))
        if found is None:
            selector = part(service.spec, "selector")
            found = self.labels.matching(service.namespace, selector) if selector else []
            if not found and not MADE_BY_CONTROLLERS.isdisjoint(selector):
                found = self._behind_one_pod(service.namespace, selector)
            self._behind[id(service)] = found
        return found

    def _behind_one_pod(self, namespace: str, selector: Mapping[str, Any]) -> list[Workload]:
        """For a selector with labels that no template has, such as a Service for one pod of a StatefulSet."""
        rest = {key: value for key, value in selector.items() if key not in MADE_BY_CONTROLLERS}
        name = str(selector.get(_POD_NAME) or "").rpartition("-")[0]
        found = self.labels.matching(namespace, rest)
        return [workload for workload in found if not name or workload.name == name]

    @cached_property
    def services_by_workload(self) -> dict[int, list[Resource]]:
        """Services of each workload, by ``id(workload)``."""
        found: dict[int, list[Resource]] = defaultdict(list)
        for service in self.of(SERVICE):
            for workload in self.behind(service):
                found[id(workload)].append(service)
        return found

    # ---- hosts

    def qualified(self, host: str, namespace: str) -> str:
        return hosts.qualified(host, namespace, self.settings.cluster_domain)

    @cached_property
    def registry(self) -> HostRegistry:
        """Every host of Services and ServiceEntries."""
        return HostRegistry(self.of(SERVICE), self.of(SERVICE_ENTRY), self.settings.cluster_domain)

    @cached_property
    def _rules_by_host(self) -> tuple[dict[str, list[Resource]], hosts.Wildcards[Resource]]:
        exact: dict[str, list[Resource]] = defaultdict(list)
        wildcards: list[tuple[str, Resource]] = []
        for rule in self.of(DESTINATION_RULE):
            host = self.qualified(str(rule.spec.get("host") or ""), rule.namespace)
            if hosts.is_wildcard(host):
                wildcards.append((host, rule))
            elif host:
                exact[host].append(rule)
        return exact, hosts.Wildcards(wildcards)

    def destination_rules(self, host: str) -> list[Resource]:
        """DestinationRules of any namespace for a qualified host, exact ones first, then the nearest wildcards."""
        exact, wildcards = self._rules_by_host
        return [*exact.get(host, ()), *wildcards.covering(host)]

    @cached_property
    def destinations(self) -> list[tuple[Resource, Destination]]:
        """Every destination of every VirtualService."""
        domain = self.settings.cluster_domain
        return [
            (service, destination)
            for service in self.of(VIRTUAL_SERVICE)
            for destination in destinations_of(service, domain)
        ]

    # ---- the mesh's own configuration

    @cached_property
    def mesh_config(self) -> Object:
        """MeshConfig; empty if the input has none."""
        if self.settings.mesh_config is not None:
            return self.settings.mesh_config
        for found in self.of(CONFIG_MAP):
            if found.name == "istio" and found.namespace == self.settings.root_namespace:
                return _embedded(part(found.obj, "data").get("mesh"))
        return {}

    @property
    def knows_mesh_config(self) -> bool:
        return bool(self.mesh_config)

    @property
    def auto_mtls(self) -> bool:
        return self.mesh_config.get("enableAutoMtls") is not False

    @cached_property
    def _peer_authentications(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.of(PEER_AUTHENTICATION):
            found[resource.namespace].append(resource)
        return found

    def mtls_mode(self, workload: Workload, port: int | None = None) -> str:
        """STRICT, PERMISSIVE or DISABLE: what PeerAuthentications set for the workload (and its port)."""
        own = [
            resource
            for resource in self._peer_authentications.get(workload.namespace, ())
            if (labels := selector_labels(resource))
            and all(workload.labels.get(key) == value for key, value in labels.items())
        ]
        for resource in own[:1]:
            by_port = part(resource.spec, "portLevelMtls")
            if port is not None and (mode := part(by_port, str(port)).get("mode")) not in (None, "UNSET"):
                return str(mode)
            if port is not None and (mode := _by_number(by_port, port)) not in (None, "UNSET"):
                return str(mode)
            if (mode := _mode(resource)) not in (None, "UNSET"):
                return str(mode)
        return self.namespace_mtls_mode(workload.namespace)

    def namespace_mtls_mode(self, namespace: str) -> str:
        for place in (namespace, self.settings.root_namespace):
            for resource in self._peer_authentications.get(place, ()):
                if not selector_labels(resource) and (mode := _mode(resource)) not in (None, "UNSET"):
                    return str(mode)
        return "STRICT" if self._is_strict_by_operator else "PERMISSIVE"

    @cached_property
    def _is_strict_by_operator(self) -> bool:
        """OpenShift's operator makes a PeerAuthentication of this setting."""
        planes = self.of(_CONTROL_PLANE)
        return any(part(plane.spec, "security", "dataPlane").get("mtls") is True for plane in planes)


def selector_labels(resource: Resource) -> Mapping[str, Any]:
    """``spec.selector.matchLabels``, as policies have it; empty if the policy selects all workloads."""
    return part(resource.spec, "selector", "matchLabels")


def _mode(resource: Resource) -> Any:
    return part(resource.spec, "mtls").get("mode")


def _by_number(by_port: Mapping[Any, Any], port: int) -> Any:
    return (
        part(
            by_port.get(port),
        ).get("mode")
        if port in by_port
        else None
    )


def _embedded(text: Any) -> Object:
    """The YAML of a ConfigMap's entry; an empty dict if it cannot be read."""
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one

    value = load_one(text) if isinstance(text, str) else None
    return value if isinstance(value, dict) else {}


def names(resources: Sequence[Resource]) -> str:
    """For messages: ``a/x and b/y``, cut after three."""
    shown = [f"{item.namespace}/{item.name}" if item.namespace else item.name for item in resources[:3]]
    rest = len(resources) - len(shown)
    if rest > 0:
        shown.append(f"{rest} more")
    return " and ".join(shown) if len(shown) < 3 else ", ".join(shown[:-1]) + " and " + shown[-1]
