"""Volumes for claims: what a cluster's storage driver does. Only on the real node there is storage behind them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from .api import MERGE_PATCH, Api, ApiError
from .settings import Settings

Object = dict[str, Any]
LOGGER = logging.getLogger("volumes")
PROVISIONER = "lab.corpv3.com/volumes"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
CLASS = "standard"
# The scheduler's answer to a claim that waits for its first pod.
SELECTED_NODE = "volume.kubernetes.io/selected-node"


STORAGE_CLASS: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    # As the default classes of clouds: a claim waits for its first pod, because its volume depends on the pod's node.
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}


def ensure_class(api: Api) -> None:
    """Make the class. One of an earlier lab is replaced, because it is immutable when claims are bound."""
    found = api.get(f"{CLASSES}/{CLASS}")
    if found and found["volumeBindingMode"] != STORAGE_CLASS["volumeBindingMode"]:
        api.request("DELETE", f"{CLASSES}/{CLASS}")
    api.create_if_missing(CLASSES, STORAGE_CLASS)


def folder(settings: Settings, uid: str) -> Path:
    """Where a claim's data is on the real node."""
    return settings.state_dir / "node" / "volumes" / uid


def is_on_real_node(claim: Object, settings: Settings) -> bool:
    """Whether the claim's first pod goes to the real node."""
    node = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
    return settings.real_node and node == settings.real_node_name


def waits(claim: Object) -> bool:
    """Whether the claim has no pod yet whose node is known."""
    return SELECTED_NODE not in (claim["metadata"].get("annotations") or {})


def volume_for(claim: Object, settings: Settings) -> Object:
    """A volume that only this claim can have."""
    metadata, spec = claim["metadata"], claim["spec"]
    source: Object = {"hostPath": {"path": f"/nonexistent/{metadata['uid']}"}}
    if is_on_real_node(claim, settings):
        host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [settings.real_node_name]}
        # Of this kind, so that the kubelet gives it to the pod's fsGroup, as it does with a driver's volumes.
        source = {
            "local": {"path": str(folder(settings, metadata["uid"]))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}},
        }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            **source,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }


class Provisioner:
    """Makes a volume for each claim of the lab's class, lets it grow, and takes it away with the claim."""

    def __init__(self, settings: Settings) -> None:
        self._api, self._settings = Api(settings), settings

    def run(self) -> None:
        """For ever."""
        for event, item in self._api.watch(CLAIMS):
            claims = item.get("items", []) if event == "LIST" else [item]
            if event == "LIST":
                self._forget_all_but({claim["metadata"]["uid"] for claim in claims})
            for claim in claims:
                try:
                    self._see(event, claim)
                except ApiError as error:
                    LOGGER.warning("%s/%s: %s", claim["metadata"]["namespace"], claim["metadata"]["name"], error)

    def _see(self, event: str, claim: Object) -> None:
        if claim["spec"].get("storageClassName") != CLASS:
            return
        path = f"{VOLUMES}/pvc-{claim['metadata']['uid']}"
        if event == "DELETED":
            self._remove(claim["metadata"]["uid"])
        elif claim.get("status", {}).get("phase", "Pending") == "Pending":
            if waits(claim):
                return
            if is_on_real_node(claim, self._settings):
                folder(self._settings, claim["metadata"]["uid"]).mkdir(parents=True, exist_ok=True)
            self._api.create_if_missing(VOLUMES, volume_for(claim, self._settings))
        elif claim["spec"]["resources"]["requests"] != claim["status"].get("capacity"):
            capacity = dict(claim["spec"]["resources"]["requests"])
            self._api.request("PATCH", path, {"spec": {"capacity": capacity}}, MERGE_PATCH)
            place, name = claim["metadata"]["namespace"], claim["metadata"]["name"]
            own = f"/api/v1/namespaces/{place}/persistentvolumeclaims/{name}"
            self._api.request("PATCH", f"{own}/status", {"status": {"capacity": capacity}}, MERGE_PATCH)

    def _forget_all_but(self, claims: set[str]) -> None:
        for volume in self._api.request("GET", VOLUMES)["items"]:
            uid = volume["spec"].get("claimRef", {}).get("uid", "")
            mine = (volume["metadata"].get("annotations") or {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
            if mine and uid not in claims:
                self._remove(uid)

    def _remove(self, uid: str) -> None:
        shutil.rmtree(folder(self._settings, uid), ignore_errors=True)
        try:
            self._api.request("DELETE", f"{VOLUMES}/pvc-{uid}")
        except ApiError as error:
            if error.status != 404:
                raise
