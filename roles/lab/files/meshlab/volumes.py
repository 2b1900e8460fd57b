"""Volumes for claims: what a cluster's storage driver does, without storage. No lab pod writes into one."""

from __future__ import annotations

import logging
from typing import Any

from .api import MERGE_PATCH, Api, ApiError
from .settings import Settings

Object = dict[str, Any]
LOGGER = logging.getLogger("volumes")
PROVISIONER = "lab.corpv3.com/volumes"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
STORAGE_CLASS: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}


def volume_for(claim: Object) -> Object:
    """A volume that only this claim can have."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": f"/nonexistent/{metadata['uid']}"},
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
        self._api = Api(settings)

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
        if claim["spec"].get("storageClassName") != STORAGE_CLASS["metadata"]["name"]:
            return
        path = f"{VOLUMES}/pvc-{claim['metadata']['uid']}"
        if event == "DELETED":
            self._remove(path)
        elif claim.get("status", {}).get("phase", "Pending") == "Pending":
            self._api.create_if_missing(VOLUMES, volume_for(claim))
        elif claim["spec"]["resources"]["requests"] != claim["status"].get("capacity"):
            capacity = dict(claim["spec"]["resources"]["requests"])
            self._api.request("PATCH", path, {"spec": {"capacity": capacity}}, MERGE_PATCH)
            place, name = claim["metadata"]["namespace"], claim["metadata"]["name"]
            own = f"/api/v1/namespaces/{place}/persistentvolumeclaims/{name}"
            self._api.request("PATCH", f"{own}/status", {"status": {"capacity": capacity}}, MERGE_PATCH)

    def _forget_all_but(self, claims: set[str]) -> None:
        for volume in self._api.request("GET", VOLUMES)["items"]:
            uid = (volume["spec"].get("claimRef") or {}).get("uid")
            mine = (volume["metadata"].get("annotations") or {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
            if mine and uid not in claims:
                self._remove(f"{VOLUMES}/{volume['metadata']['name']}")

    def _remove(self, path: str) -> None:
        try:
            self._api.request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise
