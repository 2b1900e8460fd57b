# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A revision's tag: the webhooks by which pods that ask for the tag get the sidecar of the revision behind it.

They have the names and the rules of those that `istioctl tag` creates (istioctl/pkg/tag/generate.go).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects

# The tag that pods get who name no revision.
DEFAULT = "default"
_NAMESPACE, _REVISION, _POD = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject"


def revision_tag(tag: str, revision: str, namespace: str) -> Object:
    """The MutatingWebhookConfiguration. ``revision``: empty for a control plane without a name."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": f"istio-revision-tag-{tag}",
            "labels": {
                "app": "sidecar-injector",
                "istio.io/tag": tag,
                # The istiod of this revision writes its CA into the webhooks.
                _REVISION: revision or DEFAULT,
            },
        },
        "webhooks": [
            _webhook(prefix, "-".join(filter(None, ("istiod", revision))), namespace, namespaces, pods)
            for prefix, namespaces, pods in _webhooks(tag)
        ],
    }


def _webhooks(tag: str) -> Iterator[tuple[str, Objects, Objects]]:
    """Each webhook's name, and what the labels of the namespace and of the pod must be."""
    this_tag, unless_refused = _one_of(_REVISION, tag), _no(_POD, "false")
    yield "rev.namespace", [this_tag, _without(_NAMESPACE)], [unless_refused]
    yield "rev.object", [_without(_REVISION), _without(_NAMESPACE)], [unless_refused, this_tag]
    if tag == DEFAULT:
        yield "namespace", [_one_of(_NAMESPACE, "enabled")], [unless_refused]
        yield "object", [_without(_NAMESPACE), _without(_REVISION)], [_one_of(_POD, "true"), _without(_REVISION)]


def _one_of(label: str, value: str) -> Object:
    return {"key": label, "operator": "In", "values": [value]}


def _no(label: str, value: str) -> Object:
    return {"key": label, "operator": "NotIn", "values": [value]}


def _without(label: str) -> Object:
    return {"key": label, "operator": "DoesNotExist"}


def _webhook(prefix: str, service: str, namespace: str, namespaces: Objects, pods: Objects) -> Object:
    return {
        "name": f"{prefix}.sidecar-injector.istio.io",
        "clientConfig": {"service": {"name": service, "namespace": namespace, "path": "/inject", "port": 443}},
        "rules": [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}
        ],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": pods},
    }
