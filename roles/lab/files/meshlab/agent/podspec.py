"""Reading a pod's specification as a kubelet does: environment, arguments, quantities."""

from __future__ import annotations

import re
from typing import Any

Object = dict[str, Any]

_FACTORS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text: str) -> float:
    """The number that a Kubernetes quantity stands for."""
    match = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text))
    if not match:
        raise ValueError(f"not a quantity: {text}")
    return float(match.group(1)) * _FACTORS.get(match.group(2), 1.0)


def environment(pod: Object, container: Object, pod_ip: str, host_ip: str) -> dict[str, str]:
    """The container's environment; references to ConfigMaps and Secrets are left out, nothing here reads them."""
    result: dict[str, str] = {}
    for entry in container.get("env", []):
        source = entry.get("valueFrom")
        if source is None:
            result[entry["name"]] = expand(entry.get("value", ""), result)
        elif "fieldRef" in source:
            result[entry["name"]] = _field(pod, source["fieldRef"]["fieldPath"], pod_ip, host_ip)
        elif "resourceFieldRef" in source:
            result[entry["name"]] = _resource(container, source["resourceFieldRef"])
    return result


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace $(NAME) by the variable's value, as Kubernetes does in arguments and environment."""
    return re.sub(r"\$\(([A-Za-z0-9_.-]+)\)", lambda m: variables.get(m.group(1), m.group(0)), text)


def _field(pod: Object, path: str, pod_ip: str, host_ip: str) -> str:
    subscript = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if subscript:
        return str(pod["metadata"].get(subscript.group(1), {}).get(subscript.group(2), ""))
    known = {"status.podIP": pod_ip, "status.hostIP": host_ip, "status.podIPs": pod_ip}
    if path in known:
        return known[path]
    value: Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


def _resource(container: Object, reference: Object) -> str:
    kind, name = reference["resource"].split(".")
    resources = container.get("resources", {})
    fallback = "1" if name == "cpu" else "1Gi"
    text = resources.get(kind, {}).get(name) or resources.get("requests", {}).get(name) or fallback
    divisor = quantity(str(reference.get("divisor", "0"))) or 1.0
    return str(max(1, int(-(-quantity(text) // divisor))))


def find_container(pod: Object, name: str) -> Object | None:
    """The container of that name, among the ordinary ones and the restartable init containers."""
    spec = pod["spec"]
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        if container["name"] == name:
            found: Object = container
            return found
    return None


def is_sidecar(init_container: Object) -> bool:
    """Whether an init container keeps running beside the others (a native sidecar)."""
    return init_container.get("restartPolicy") == "Always"


def labels(pod: Object) -> dict[str, str]:
    """The pod's labels."""
    found: dict[str, str] = pod["metadata"].get("labels", {})
    return found
