# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""RequestAuthentications: tokens that no policy requires, and claims that no proxy reads."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    applied,
    conditions,
    has_target,
    reach,
    sources,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    DEPLOYMENT,
    GATEWAY,
    POD,
    REQUEST_AUTHENTICATION,
    VIRTUAL_SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_CLAIM = "@request.auth.claims"
_BLOCKED = "BLOCKED_CIDRS_IN_JWKS_URIS"


@check(
    code="IST0149",
    level="error",
    title="Route by claims that are not read",
    why="Without a RequestAuthentication for the gateway its proxy does not read claims, and the route never matches.",
    remedy="Add a RequestAuthentication that selects the gateway's pods.",
    needs=[POD],
)
def claims_without_authentication(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        claim = next(_claims(service), None)
        if claim is None:
            continue
        path, key = claim
        for _index, name in texts(service.spec, "gateways"):
            namespace, slash, short = name.rpartition("/")
            gateway = mesh.find(GATEWAY, namespace if slash else service.namespace, short)
            labels = part(gateway.spec, "selector") if gateway else {}
            for workload in mesh.labels.everywhere(labels) if labels else ():
                if not applied(mesh, REQUEST_AUTHENTICATION).to(workload):
                    message = f"{key!r} is matched at gateway {name}, and {workload.name} has no RequestAuthentication"
                    report(service, path, message)
                    break


@check(
    code="IST0175",
    level="warning",
    title="istiod may fetch keys from anywhere",
    why="istiod fetches jwksUri itself: anyone who can write a RequestAuthentication can make it call internal URLs.",
    remedy=f"Set {_BLOCKED} in istiod's environment to the networks that it should not access.",
    needs=[DEPLOYMENT],
)
def unrestricted_key_fetch(mesh: Mesh, report: Report) -> None:
    policies = mesh.of(REQUEST_AUTHENTICATION)
    for istiod in mesh.of(DEPLOYMENT) if policies else ():
        if istiod.labels.get("app") != "istiod":
            continue
        pod = part(istiod.spec, "template", "spec")
        variables = [
            entry for _index, container in items(pod, "containers") for _place, entry in items(container, "env")
        ]
        if not any(entry.get("name") == _BLOCKED and entry.get("value") for entry in variables):
            path = ("spec", "template", "spec", "containers", 0, "env")
            report(istiod, path, f"{_BLOCKED} is not set, and there are RequestAuthentications: {names(policies)}")


@check(
    code="MESH412",
    level="warning",
    title="Token that no policy requires",
    why="A RequestAuthentication refuses invalid tokens only; a request without any token passes.",
    remedy='Add an AuthorizationPolicy that allows requestPrincipals ["*"] on the paths that need a token.',
)
def token_not_demanded(mesh: Mesh, report: Report) -> None:
    demanding = [policy for policy in mesh.of(AUTHORIZATION_POLICY) if _reads_tokens(mesh, policy)]
    demanded = {policy.identity for policy in demanding}
    places = {(policy.namespace, has_target(policy)) for policy in demanding}
    policies = applied(mesh, AUTHORIZATION_POLICY)
    for policy in mesh.of(REQUEST_AUTHENTICATION):
        if workloads := reach(mesh, policy):
            without = [
                workload
                for workload in workloads
                if not any(other.identity in demanded for other in policies.to(workload))
            ]
            is_demanded = len(without) < len(workloads)
            if without and is_demanded and items(policy.spec, "jwtRules"):
                # The others may be called without a token on purpose.
                text = f"no AuthorizationPolicy requires a token for {names([item.resource for item in without])}"
                report(policy, ("spec", "jwtRules"), text, level="info")
        else:
            # A policy in the same place that requires tokens may be for the same targets.
            near = (policy.namespace, has_target(policy))
            is_demanded = near in places or (mesh.settings.root_namespace, False) in places
        if not is_demanded and items(policy.spec, "jwtRules"):
            report(policy, ("spec", "jwtRules"), "no AuthorizationPolicy for the same workloads requires a token")


@check(
    code="MESH413",
    level="warning",
    title="Audience that a second rule makes ineffective",
    why="A token passes if one of the rules for its issuer accepts it, and the rule without audiences accepts all.",
    remedy="Name audiences in every rule of the issuer, or keep one rule.",
)
def audiences_given_away(mesh: Mesh, report: Report) -> None:
    scopes: dict[tuple[str, str], list[tuple[Resource, int, Object]]] = {}
    for policy in mesh.of(REQUEST_AUTHENTICATION):
        if has_target(policy):
            scope = repr(policy.spec.get("targetRefs") or policy.spec.get("targetRef"))
        else:
            scope = repr(sorted((str(key), str(value)) for key, value in selector_labels(policy).items()))
        for index, rule in items(policy.spec, "jwtRules"):
            if issuer := rule.get("issuer"):
                scopes.setdefault((f"{policy.namespace} {scope}", str(issuer)), []).append((policy, index, rule))
    for (_scope, issuer), rules in scopes.items():
        with_audiences = [policy for policy, _index, rule in rules if rule.get("audiences")]
        for policy, index, rule in rules if with_audiences else ():
            if not rule.get("audiences"):
                message = f"issuer {issuer!r} has audiences in {names(with_audiences[:1])}, and none here"
                report(policy, ("spec", "jwtRules", index, "issuer"), message)


def _claims(service: Resource) -> Iterator[tuple[Path, str]]:
    for route, body in items(service.spec, "http"):
        for index, match in items(body, "match"):
            for field in ("headers", "withoutHeaders"):
                for key in part(match, field):
                    if str(key).lower().startswith(_CLAIM):
                        yield ("spec", "http", route, "match", index, field, str(key)), str(key)


def _reads_tokens(mesh: Mesh, policy: Resource) -> bool:
    if any(
        source.get("requestPrincipals") or source.get("notRequestPrincipals") for _path, source in sources(mesh, policy)
    ):
        return True
    return any(
        str(condition.get("key") or "").startswith("request.auth.") for _path, condition in conditions(mesh, policy)
    )
