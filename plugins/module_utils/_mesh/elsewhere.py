# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What may exist although the input does not show it: what controllers generate, and what installations bring.

A function of this module returns what the input lacks to decide, in words for the list of undecided checks. Empty
means that the input shows everything: what it does not contain does not exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import (
    ISTIO_CLASSES,
    WAYPOINT_CLASSES,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import GATEWAY_NAME, is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import NOT_READ, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearby import (
    expects_account,
    expects_gateway,
    expects_namespace,
    expects_services,
    expects_workloads,
    is_platforms,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    GATEWAY,
    GATEWAY_CLASS,
    K8S_GATEWAY,
    NAMESPACE,
    POD,
    REFERENCE_GRANT,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import PLAIN_CONTROLLERS

_CANARY = Kind("flagger.app", "Canary")
# Labels of which Flagger gives the primary's pods an own value.
_FLAGGER_LABELS = ("app", "name", "app.kubernetes.io/name")
_ISTIO_CONTROLLER = "istio.io/"

# Custom resources that create neither pods nor Services. All of a group if it has no kinds here.
_QUIET: Mapping[str, frozenset[str]] = {
    "acme.cert-manager.io": frozenset(),
    "argoproj.io": frozenset({"AnalysisTemplate", "AppProject", "ClusterAnalysisTemplate", "Rollout"}),
    "bitnami.com": frozenset(),
    "cert-manager.io": frozenset(),
    "cilium.io": frozenset(),
    "cloud.google.com": frozenset(),
    "crd.projectcalico.org": frozenset(),
    "external-secrets.io": frozenset(),
    "flagger.app": frozenset(),
    "keda.sh": frozenset({"ClusterTriggerAuthentication", "ScaledObject", "TriggerAuthentication"}),
    "kyverno.io": frozenset(),
    "monitoring.coreos.com": frozenset(
        {"PodMonitor", "Probe", "PrometheusRule", "ServiceMonitor", "AlertmanagerConfig"}
    ),
    "networking.gke.io": frozenset(),
    "projectcalico.org": frozenset(),
    "route.openshift.io": frozenset(),
    "secrets-store.csi.x-k8s.io": frozenset(),
    "security.openshift.io": frozenset(),
}
# They create whatever their chart, folder or package contains: (path of the namespace, if it is another one).
_INSTALLERS: Mapping[Kind, tuple[str, ...]] = {
    Kind("argoproj.io", "Application"): ("destination", "namespace"),
    Kind("argoproj.io", "ApplicationSet"): ("template", "spec", "destination", "namespace"),
    Kind("helm.cattle.io", "HelmChart"): ("targetNamespace",),
    Kind("helm.toolkit.fluxcd.io", "HelmRelease"): ("targetNamespace",),
    Kind("kustomize.toolkit.fluxcd.io", "Kustomization"): ("targetNamespace",),
}

# Labels and Services of the gateways that Istio's profiles and the names of its charts bring.
_GATEWAYS = ("ingressgateway", "egressgateway", "eastwestgateway", "ingress", "egress")
_GATEWAY_LABELS = [{"istio": name, "app": f"istio-{name}"} for name in _GATEWAYS]
_GATEWAY_SERVICES = frozenset(f"istio-{name}" for name in _GATEWAYS)
# Of Istio's samples, which a script applies from the release.
_ADDONS = frozenset({"grafana", "jaeger-collector", "kiali", "loki", "prometheus", "tracing", "zipkin"})
# A pod has it only as long as cert-manager has something to prove.
_OF_CHALLENGES = "acme.cert-manager.io/http01-solver"
_ANYWHERE = "*"


class _Generated:
    """By namespace. foreign: custom resources that may create anything named after them. installers: anything."""

    def __init__(self) -> None:
        self.foreign: dict[str, list[Resource]] = defaultdict(list)
        self.installers: dict[str, Resource] = {}
        self.services: dict[tuple[str, str], Resource] = {}
        self.labels: dict[str, list[tuple[Mapping[str, str], Resource]]] = defaultdict(list)

    def installer(self, namespace: str) -> Resource | None:
        return self.installers.get(namespace) or self.installers.get(_ANYWHERE)


@once_per_mesh
def _generated(mesh: Mesh) -> _Generated:
    found = _Generated()
    for kind in mesh.kinds:
        for resource in mesh.of(kind) if _is_foreign(kind) or kind in (_CANARY, K8S_GATEWAY) else ():
            # What a live object creates was read with it.
            if resource.is_live and POD in mesh.settings.listed:
                continue
            if kind in _INSTALLERS:
                target = _target(resource)
                # A generator decides.
                is_anywhere = "{{" in target or "${" in target
                for namespace in (resource.namespace, _ANYWHERE if is_anywhere else target or resource.namespace):
                    found.installers[namespace] = resource
            elif kind == _CANARY:
                _add_flagger(found, resource)
            elif kind == K8S_GATEWAY and is_istio_class(mesh, resource):
                _add_gateway(found, resource)
            else:
                found.foreign[resource.namespace].append(resource)
    return found


def _is_foreign(kind: Kind) -> bool:
    group = kind.group
    if "." not in group or group.endswith(".k8s.io") or kind in PLAIN_CONTROLLERS:
        return False
    if group.endswith("istio.io"):
        return group == "install.istio.io"
    quiet = _QUIET.get(group)
    return quiet is None or bool(quiet and kind.kind not in quiet)


def _target(resource: Resource) -> str:
    *path, last = _INSTALLERS[resource.kind]
    return str(part(resource.spec, *path).get(last) or "")


def _add_flagger(found: _Generated, canary: Resource) -> None:
    target = str(part(canary.spec, "targetRef").get("name") or "")
    name = str(part(canary.spec, "service").get("name") or target)
    for service in (name, f"{name}-primary", f"{name}-canary"):
        found.services[(canary.namespace, service)] = canary
    found.labels[canary.namespace].append((dict.fromkeys(_FLAGGER_LABELS, f"{target}-primary"), canary))


def _add_gateway(found: _Generated, gateway: Resource) -> None:
    """istiod creates a Deployment, a Service and a ServiceAccount of one name, unless the Gateway names its own."""
    if any(address.get("type") == "Hostname" for _index, address in items(gateway.spec, "addresses")):
        return
    class_name = str(gateway.spec.get("gatewayClassName") or "")
    name = gateway.name if class_name in WAYPOINT_CLASSES else f"{gateway.name}-{class_name}"
    name = str(gateway.annotations.get("gateway.istio.io/name-override") or name)
    found.services[(gateway.namespace, name)] = gateway
    labels = {GATEWAY_NAME: gateway.name, "istio.io/gateway-name": gateway.name}
    found.labels[gateway.namespace].append(({**gateway.labels, **labels}, gateway))


def is_istio_class(mesh: Mesh, gateway: Resource) -> bool:
    name = str(gateway.spec.get("gatewayClassName") or "")
    known = mesh.find(GATEWAY_CLASS, "", name)
    if known is None:
        return name in ISTIO_CLASSES
    return str(known.spec.get("controllerName") or "").startswith(_ISTIO_CONTROLLER)


def unseen_workloads(mesh: Mesh, namespace: str, labels: Mapping[str, Any], reference: Resource) -> str:
    """Why a workload with the labels may exist in the namespace; in the root namespace, in any. For no labels: any."""
    if _OF_CHALLENGES in labels:
        return "the pods of cert-manager's challenges"
    generated = _generated(mesh)
    everywhere = namespace == mesh.settings.root_namespace
    places = list({*generated.foreign, *generated.installers, *generated.labels}) if everywhere else [namespace]
    for place in places:
        if (creator := _creator(generated, place)) is not None:
            return _pods_of(creator)
        for known, resource in generated.labels.get(place, ()):
            if _may_have(known, labels):
                return _pods_of(resource)
    if POD in mesh.settings.listed:
        return ""
    if _is_istios_place(mesh, namespace) and _is_installed(mesh, labels):
        return "the gateways of Istio's installation"
    if not mesh.labels.matching(namespace, {}) or not (everywhere or expects_workloads(mesh, reference, namespace)):
        return f"the workloads of namespace {namespace}"
    found = (workload.resource for workload in mesh.labels.everywhere(labels)) if labels else ()
    return _unplaced(mesh, namespace, found) or _not_read(mesh)


def unseen_callers(mesh: Mesh, namespace: str) -> str:
    """Why a workload with a proxy may be in a namespace in which the input has only others."""
    is_left_out = _is_istios_place(mesh, namespace) and not _has_installed_gateways(mesh)
    return "the gateways of Istio's installation" if is_left_out and POD not in mesh.settings.listed else ""


def unseen_gateway_pods(mesh: Mesh, labels: Mapping[str, Any]) -> str:
    """Why a proxy that a Gateway with the labels configures may exist, in whatever namespace."""
    for place, known in _generated(mesh).labels.items():
        for own, resource in known:
            if resource.kind == K8S_GATEWAY and _may_have(own, labels):
                return f"{_pods_of(resource)} in namespace {place}"
    if POD not in mesh.settings.listed and _is_installed(mesh, labels):
        return "the gateways of Istio's installation"
    return "" if POD in mesh.settings.listed else _not_read(mesh)


def unseen_service(mesh: Mesh, namespace: str, name: str, reference: Resource) -> str:
    """Why the Service may exist that the object names."""
    generated = _generated(mesh)
    resource = generated.services.get((namespace, name)) or generated.installer(namespace)
    if resource is None:
        resource = next((owner for owner in generated.foreign.get(namespace, ()) if _is_named_after(name, owner)), None)
    if resource is not None:
        return f"the Services of {resource!r}"
    if SERVICE in mesh.settings.listed:
        return ""
    if _is_istios_place(mesh, namespace) and (name in _GATEWAY_SERVICES or _is_istiod(name)):
        return "the Services of Istio's installation"
    if _is_istios_place(mesh, namespace) and name in _ADDONS and _ADDONS.isdisjoint(_service_names(mesh, namespace)):
        return "the Services of Istio's addons"
    if (namespace, name) in (("default", "kubernetes"), ("kube-system", "kube-dns")):
        return "the Services of Kubernetes"
    # A typo is one in whatever else there is.
    if mesh.registry.nearest(f"{name}.{namespace}.svc.{mesh.settings.cluster_domain}"):
        return ""
    if not mesh.registry.has_services_in(namespace) or not expects_services(mesh, reference, namespace):
        return f"the Services of namespace {namespace}"
    return (
        _unseen_parent(mesh, reference, namespace)
        or _unplaced(mesh, namespace, _services(mesh).get(name, ()))
        or _not_read(mesh)
    )


def _unseen_parent(mesh: Mesh, route: Resource, namespace: str) -> str:
    """What else of the namespace the files leave to others: the Gateway of the route that names the Service."""
    for _index, parent in items(route.spec, "parentRefs"):
        place, name = str(parent.get("namespace") or route.namespace), str(parent.get("name") or "")
        is_gateway_here = parent.get("kind", K8S_GATEWAY.kind) == K8S_GATEWAY.kind and place == namespace
        if is_gateway_here and not mesh.find(K8S_GATEWAY, place, name):
            return unseen_gateway(mesh, route, place, name)
    return ""


def unseen_gateway(mesh: Mesh, reference: Resource, namespace: str, name: str) -> str:
    """Why a Gateway of either API may exist that a VirtualService or a route of the Gateway API names.

    The files of one team contain the Gateways of its own namespaces. Those of others are often in the platform's.
    """
    if GATEWAY in mesh.settings.listed or K8S_GATEWAY in mesh.settings.listed:
        return ""
    namespaces, near = _gateways(mesh)
    if near.find(f"{namespace}/{name}"):
        return ""
    is_own = namespace == reference.namespace
    if not (namespace in namespaces or is_own) or (is_own and not expects_gateway(mesh, reference)):
        return f"the Gateways of namespace {namespace}"
    named = (item for item in mesh.of(GATEWAY, K8S_GATEWAY) if item.name == name)
    return _unplaced(mesh, namespace, named) or _not_read(mesh)


@once_per_mesh
def _gateways(mesh: Mesh) -> tuple[set[str], Nearest]:
    found = mesh.of(GATEWAY, K8S_GATEWAY)
    return {item.namespace for item in found}, Nearest(f"{item.namespace}/{item.name}" for item in found)


def unseen_grant(mesh: Mesh, namespace: str) -> str:
    """Why a ReferenceGrant may exist: its namespace's owner writes it, and the input has nothing of that namespace."""
    if REFERENCE_GRANT in mesh.settings.listed or namespace in _namespaces(mesh):
        return ""
    return f"the ReferenceGrants of namespace {namespace}"


@once_per_mesh
def _namespaces(mesh: Mesh) -> set[str]:
    return {item.name if item.kind == NAMESPACE else item.namespace for item in mesh.all()}


def unseen_virtual_service(mesh: Mesh, namespace: str, name: str) -> str:
    """Why a VirtualService may exist to which another one delegates: in Flagger's or in an installer's place."""
    generated = _generated(mesh)
    owner = generated.services.get((namespace, name)) or generated.installer(namespace)
    if owner is not None and owner.kind != K8S_GATEWAY:
        return f"the VirtualServices of {owner!r}"
    return "" if VIRTUAL_SERVICE in mesh.settings.listed else _not_read(mesh)


def unseen_namespace(mesh: Mesh, name: str) -> str:
    """Why a Namespace may exist without any object of the input in it: files rarely contain the platform's."""
    if NAMESPACE in mesh.settings.listed:
        return ""
    if is_platforms(name) or not expects_namespace(mesh, name):
        return f"the Namespace {name}"
    return _not_read(mesh)


def unseen_account(mesh: Mesh, namespace: str, name: str) -> str:
    """Why a ServiceAccount may exist that no workload of the namespace in the input uses."""
    if (creator := _creator(_generated(mesh), namespace)) is not None:
        return _pods_of(creator)
    if POD in mesh.settings.listed:
        return ""
    is_installed = name.removesuffix("-service-account") in _GATEWAY_SERVICES or _is_istiod(name)
    if is_installed and _is_istios_place(mesh, namespace):
        return "the workloads of Istio's installation"
    if not expects_account(mesh, namespace, name):
        return f"the workloads of namespace {namespace}"
    found = (workload.resource for workload in mesh.workloads if workload.service_account == name)
    return _unplaced(mesh, namespace, found) or _not_read(mesh)


def unseen_subset(mesh: Mesh) -> str:
    """Why a DestinationRule may exist that defines a subset."""
    return "" if DESTINATION_RULE in mesh.settings.listed else _not_read(mesh)


def _unplaced(mesh: Mesh, namespace: str, found: Iterable[Resource]) -> str:
    """Whether one of the objects may be in the namespace: it does not name its own, or it is unknown which is meant."""
    for resource in found:
        if not resource.states_namespace or namespace in _assumed(mesh):
            return f"the namespace of {resource.kind.kind} {resource.name}"
    return ""


@once_per_mesh
def _assumed(mesh: Mesh) -> set[str]:
    """Namespaces that objects got which do not name their own."""
    return {item.namespace for item in mesh.all() if not item.states_namespace and not item.is_live}


@once_per_mesh
def _services(mesh: Mesh) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = defaultdict(list)
    for service in mesh.of(SERVICE):
        found[service.name].append(service)
    return found


def _service_names(mesh: Mesh, namespace: str) -> set[str]:
    return {service.name for service in mesh.registry.services_in(namespace)}


def _not_read(mesh: Mesh) -> str:
    """What the input contains without showing it: it may be anything."""
    found = mesh.settings.facts.get(NOT_READ) or ()
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"the objects of {found[0]}{more}, which could not be read" if found else ""


def _creator(generated: _Generated, namespace: str) -> Resource | None:
    """What may create pods in the namespace that cannot be foreseen."""
    foreign = generated.foreign.get(namespace)
    return foreign[0] if foreign else generated.installer(namespace)


def _is_istiod(name: str) -> bool:
    """With a revision or without."""
    return name.partition("-")[0] == "istiod"


def _is_named_after(name: str, owner: Resource) -> bool:
    """Operators name what they create after their resource: ledger, ledger-rw, cilium-gateway-ledger."""
    return owner.name != "" and f"-{owner.name}-" in f"-{name}-"


def _pods_of(resource: Resource) -> str:
    return f"the pods of {resource!r}"


def _may_have(known: Mapping[str, str], labels: Mapping[str, Any]) -> bool:
    """Whether generated pods may have the labels: none that is known differs, and one at least is known."""
    return any(key in known for key in labels) and all(known.get(key, value) == value for key, value in labels.items())


def _is_istios_place(mesh: Mesh, namespace: str) -> bool:
    return namespace == mesh.settings.root_namespace or namespace.startswith("istio-")


def _is_installed(mesh: Mesh, labels: Mapping[str, Any]) -> bool:
    """Whether a gateway of Istio's installation has the labels, and the input leaves these gateways out."""
    names = [known["istio"] for known in _GATEWAY_LABELS if labels and labels.items() <= known.items()]
    # An east-west gateway is installed by itself, whatever else the input contains.
    return bool(names) and (names == ["eastwestgateway"] or not _has_installed_gateways(mesh))


@once_per_mesh
def _has_installed_gateways(mesh: Mesh) -> bool:
    return any(_is_istios_place(mesh, workload.namespace) and is_gateway(workload) for workload in mesh.workloads)
