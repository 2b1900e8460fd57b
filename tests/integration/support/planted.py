"""Objects that a test adds to the cluster and deletes again, and an account that reads them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

from .playbooks import kubectl_of


class Objects:
    """Just enough of kubectl."""

    def __init__(self, api: ApiClient) -> None:
        self._client = DynamicClient(api)

    def apply(self, text: str) -> None:
        for obj in filter(None, yaml.safe_load_all(text)):
            kind = self._client.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
            namespace = obj["metadata"].get("namespace")
            self._client.server_side_apply(kind, obj, namespace=namespace, field_manager="trial", force_conflicts=True)

    def delete(self, text: str) -> None:
        deadline = time.monotonic() + 60
        for obj in reversed([*filter(None, yaml.safe_load_all(text))]):
            kind = self._client.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
            name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
            with contextlib.suppress(NotFoundError):
                kind.delete(name=name, namespace=namespace)
                # A namespace stays for a while, with all its labels.
                while obj["kind"] == "Namespace" and time.monotonic() < deadline:
                    kind.get(name=name)
                    time.sleep(0.2)

    def delete_namespaces(self, names: list[str]) -> None:
        """Side by side: each waits for its pods."""
        texts = [f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n" for name in names]
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.delete, texts))


def reader_of(kubeconfig: str, namespace: str, account: str) -> dict[str, Any]:
    """The administrator's kubeconfig with a token of the account instead."""
    command = [*kubectl_of(kubeconfig), "-n", namespace, "create", "token", account]
    token = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    config: dict[str, Any] = yaml.safe_load(Path(kubeconfig).read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    return config
