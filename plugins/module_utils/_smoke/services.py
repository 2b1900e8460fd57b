# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The answers of a Service: asked of a ready pod behind it, through the API server, and compared with the expected."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import port_forward_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster, Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.questions import Result

_SHOWN = 160


def rights(question: Mapping[str, Any], logins: Mapping[str, Mapping[str, Any]]) -> list[Right]:
    """The rights that an account needs for a question, with these logins (both as in answer())."""
    namespace, services = question["namespace"], filter(None, [question["service"], question["needs"]])
    wanted = [Right("get", "", "services", namespace, service) for service in services]
    wanted.append(Right("list", "discovery.k8s.io", "endpointslices", namespace))
    wanted += port_forward_rights(namespace)
    if login := logins.get(question["login"]):
        wanted.append(Right("get", "", "secrets", login["namespace"], login["secret"]))
    return wanted


def answer(cluster: MeshCluster, question: Mapping[str, Any], logins: Mapping[str, Mapping[str, Any]]) -> Result:
    """Ask one question.

    ``question``: namespace, service, port, path, wanted (a regular expression), login (a name, or empty) and needs (a
    Service without which the question is skipped, or empty). ``logins``: Secrets by name of the login. Raises
    ApiFailure.
    """
    namespace, name = question["namespace"], question["service"]
    if question["login"] and question["login"] not in logins:
        return Result(None, f"there are no credentials for {question['login']}")
    needed = question["needs"]
    if needed and cluster.get(Ref("v1", "Service", namespace, needed)) is None:
        return Result(None, f"Service {needed} does not exist")
    live = cluster.get(Ref("v1", "Service", namespace, name))
    if live is None:
        return Result(False, f"Service {name} does not exist in {namespace}")
    labels = f"kubernetes.io/service-name={name}"
    slices = cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=labels)
    place = pod_behind(live, slices, question["port"])
    if place is None:
        return Result(False, f"no ready pod serves port {question['port']} of Service {name} in {namespace}")
    pod, port = place
    headers = _headers(cluster, logins[question["login"]]) if question["login"] else {}
    body = cluster.get_through_pod(namespace, pod, port, question["path"], headers).decode(errors="replace")
    if re.search(question["wanted"], body):
        return Result(True, f"{pod} answers as expected")
    return Result(False, f"{pod} answers {question['path']} with {' '.join(body.split())[:_SHOWN]!r}")


def pod_behind(service: Object, slices: Sequence[Object], port: int) -> tuple[str, int] | None:
    """A ready pod behind a Service's port, and its own port; None if there is none."""
    named = [entry.get("name") for entry in service["spec"].get("ports") or () if entry["port"] == port]
    for found in slices:
        ports = [entry["port"] for entry in found.get("ports") or () if (entry.get("name") or None) in (named or [""])]
        for endpoint in found.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if ports and ready and target.get("kind") == "Pod":
                return target["name"], ports[0]
    return None


def _headers(cluster: Readable, login: Mapping[str, Any]) -> dict[str, str]:
    secret = cluster.get(Ref("v1", "Secret", login["namespace"], login["secret"])) or {}
    data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
    if login["token_key"]:
        return {"Authorization": f"Bearer {data.get(login['token_key'], b'').decode().strip()}"}
    pair = data.get(login["user_key"], b"") + b":" + data.get(login["password_key"], b"")
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
