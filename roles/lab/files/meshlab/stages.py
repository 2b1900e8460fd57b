"""What kwok does with nodes and pods: it simulates every pod but those that the pod agent really runs."""

from __future__ import annotations

from typing import Any

import yaml

from .settings import Settings
from .tools import KUBERNETES_VERSION

POD_RUNNING = """
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ index ( NodeIPsWith .spec.nodeName ) 0 | Quote }}
{{ $host := or .spec.hostNetwork false }}
{{ $ips := PodIPsWith .spec.nodeName $host .metadata.uid .metadata.name .metadata.namespace }}
podIP: {{ index $ips 0 | Quote }}
podIPs:
- ip: {{ index $ips 0 | Quote }}
conditions:
{{ range $type := ( list "Initialized" "ContainersReady" "Ready" ) }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
{{ if .spec.initContainers }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  {{ if eq ( or .restartPolicy "" ) "Always" }}
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}
  {{ else }}
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
  {{ end }}
{{ end }}
{{ end }}
"""

JOB_POD_DONE = """
{{ $now := Now }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
{{ end }}
"""


NODE_READY = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ .metadata.name | Quote }}}
daemonEndpoints: {kubeletEndpoint: {Port: KUBELET_PORT}}
"""


def _requirement(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


NOT_DELETED = _requirement(".metadata.deletionTimestamp", "DoesNotExist")


# ztunnel's container has the same name.
_ENVOY = '.name == "istio-proxy" and (.args | index("ztunnel") | not)'


def _simulated(settings: Settings) -> list[dict[str, Any]]:
    """Requirements that only pods meet which the agent leaves alone; keep equal to agent.watch.is_real."""
    if not settings.pod_network:
        return []
    return [
        _requirement(".metadata.namespace", "NotIn", *settings.real_namespaces),
        _requirement(f".spec.containers.[] | select( {_ENVOY} ) | .name", "DoesNotExist"),
        _requirement('.metadata.labels["app"]', "NotIn", "istiod"),
    ]


def _stage(
    name: str, requirements: list[dict[str, Any]], then: dict[str, Any], kind: str = "Pod", delay_ms: int = 0
) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": requirements},
            **({"delay": {"durationMilliseconds": delay_ms}} if delay_ms else {}),
            "next": then,
        },
    }


def kwok_config(settings: Settings) -> str:
    """The YAML of kwok's pod stages and of its node stage."""
    simulated = _simulated(settings)
    pending = _requirement(".status.phase", "In", "Pending")
    running = _requirement(".status.phase", "In", "Running")
    of_job = _requirement(".metadata.ownerReferences.[].kind", "In", "Job")
    deleted = _requirement(".metadata.deletionTimestamp", "Exists")
    not_ready = _requirement('.status.conditions.[] | select( .type == "Ready" ) | .status', "NotIn", "True")
    node_ready = NODE_READY.replace("KUBELET_PORT", str(settings.port("kubelet")))
    if settings.real_node:
        # istiod injects native sidecars only where each node's kubelet is new enough for them.
        node_ready += f"nodeInfo: {{kubeletVersion: {KUBERNETES_VERSION}}}\n"
    return yaml.safe_dump_all(
        [
            _stage("node-ready", [not_ready], {"statusTemplate": node_ready}, kind="Node"),
            _stage("pod-running", [*simulated, NOT_DELETED, pending], {"statusTemplate": POD_RUNNING}),
            _stage("job-pod-done", [*simulated, NOT_DELETED, running, of_job], {"statusTemplate": JOB_POD_DONE}),
            # `kubectl delete` waits without end for a pod whose StatefulSet has made another one before it looks.
            _stage("pod-deleted", [*simulated, deleted], {"delete": True}, delay_ms=500),
        ]
    )
