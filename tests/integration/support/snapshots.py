"""Every object of the cluster as a digest, to compare before and after."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes import client
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

# These change by themselves.
_RESTLESS = {"Event", "Lease", "NodeMetrics", "PodMetrics"}
# Seconds after which the API server no longer lists a group whose definitions were deleted.
_SETTLED = 30


class Digests(dict[str, str]):
    """Object -> digest; two that differ are explained by the objects that make the difference."""


Snapshot = Callable[[], Digests]


def snapshots(api: client.ApiClient) -> Snapshot:
    """What takes one: the cluster's desired state, so not its status."""
    dynamic = DynamicClient(api)

    def ask(path: str) -> dict[str, Any]:
        response = dynamic.request("get", path, serialize=False)
        answer: dict[str, Any] = json.loads(response.data)
        return answer

    def take() -> Digests:
        # What an earlier test deleted may take its time to go.
        going = {
            item["metadata"]["name"]
            for item in ask("/api/v1/namespaces")["items"]
            if "deletionTimestamp" in item["metadata"]
        }
        roots = ["/api/v1"]
        roots += [f"/apis/{group['preferredVersion']['groupVersion']}" for group in ask("/apis")["groups"]]
        digests = Digests()
        for root in roots:
            for kind in ask(root)["resources"]:
                if "list" not in kind["verbs"] or kind["kind"] in _RESTLESS:
                    continue
                for item in ask(f"{root}/{kind['name']}")["items"]:
                    metadata = item["metadata"]
                    if (
                        "deletionTimestamp" not in metadata
                        and metadata.get("namespace") not in going
                        and not _follows_pods(metadata)
                    ):
                        digests[_name(kind["kind"], item)] = _digest(item)
        return digests

    def snapshot() -> Digests:
        deadline = time.monotonic() + _SETTLED
        while True:
            try:
                return take()
            except NotFoundError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    return snapshot


def _name(kind: str, item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{kind} {metadata.get('namespace', '')}/{metadata['name']}"


def _follows_pods(metadata: Mapping[str, Any]) -> bool:
    """Whether Kubernetes itself writes it of a Service and its pods' readiness: their status in another place."""
    return (
        metadata.get("labels", {}).get("endpointslice.kubernetes.io/managed-by") == "endpointslice-controller.k8s.io"
        or "endpoints.kubernetes.io/managed-by" in metadata.get("labels", {})
        or "endpoints.kubernetes.io/last-change-trigger-time" in metadata.get("annotations", {})
    )


def _digest(item: Mapping[str, Any]) -> str:
    metadata = {
        key: value for key, value in item["metadata"].items() if key not in ("resourceVersion", "managedFields")
    }
    # Elections of the old kind are held in an annotation.
    metadata["annotations"] = {
        key: value for key, value in metadata.get("annotations", {}).items() if not key.endswith("/leader")
    }
    wanted = {**item, "metadata": metadata}
    wanted.pop("status", None)
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
