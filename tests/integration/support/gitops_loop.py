"""What Argo CD or Flux do about objects that differ from a repository, as a process of the test's own.

By their documentation: both look again and again, and write an object as a whole where a field differs that they do not
ignore. Argo CD leaves ignored fields as they are in the cluster only with RespectIgnoreDifferences; Flux leaves a whole
object alone that it has created with `ssa: IfNotPresent`.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

Object = dict[str, Any]
# What each tool's objects carry.
ARGO_CD = {"annotations": {"argocd.argoproj.io/tracking-id": "books:apps/Deployment:bookinfo/reviews-v1"}}
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "books"}}
EVERY = 0.5


class GitOpsLoop:
    """``ignored``: kind -> paths of fields, as ``spec.http``. ``writes``: the objects that it has written, in order."""

    def __init__(
        self,
        api: client.ApiClient,
        marks: Mapping[str, Mapping[str, str]],
        ignored: Mapping[str, Sequence[str]],
    ) -> None:
        self._dynamic, self._marks, self._ignored = DynamicClient(api), marks, ignored
        self._repository: list[Object] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.writes: list[str] = []

    def adopt(self, found: Sequence[Object]) -> None:
        """The repository gets these objects as they are, with the tool's marks."""
        for live in found:
            metadata = live["metadata"]
            obj = {key: copy.deepcopy(live[key]) for key in ("apiVersion", "kind", "spec")}
            obj["metadata"] = {key: metadata[key] for key in ("name", "namespace")}
            for place, entries in self._marks.items():
                obj["metadata"][place] = {**(metadata.get(place) or {}), **entries}
            self._repository.append(obj)
            self._apply(obj)

    def __enter__(self) -> GitOpsLoop:
        self._thread.start()
        return self

    def __exit__(self, *of: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(EVERY):
            for wanted in self._repository:
                self._reconcile(wanted)

    def _reconcile(self, wanted: Object) -> None:
        try:
            live = self._kind(wanted).get(wanted["metadata"]["name"], wanted["metadata"]["namespace"]).to_dict()
        except ApiException as failure:
            if failure.status != 404:
                raise
            return
        spec = copy.deepcopy(wanted["spec"])
        for path in self._ignored.get(wanted["kind"], ()):
            _take_over(path.split(".")[1:], spec, live["spec"])
        if spec != live["spec"]:
            self.writes.append(f"{wanted['kind']} {wanted['metadata']['name']}")
            self._apply({**wanted, "spec": spec})

    def _apply(self, obj: Object) -> None:
        name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
        self._kind(obj).server_side_apply(obj, name, namespace, field_manager="gitops", force_conflicts=True)

    def _kind(self, obj: Object) -> Any:
        return self._dynamic.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])


def _take_over(path: Sequence[str], spec: Object, live: Object) -> None:
    """The field as the cluster has it. ``containers[]`` is each entry of a list."""
    key, *rest = path
    name = key.removesuffix("[]")
    if not rest:
        spec.pop(name, None)
        if name in live:
            spec[name] = live[name]
    elif key.endswith("[]"):
        for own, other in zip(spec[name], live[name], strict=True):
            _take_over(rest, own, other)
    else:
        _take_over(rest, spec[name], live[name])
