# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.readiness import (
    explanation,
    last_events,
    not_ready,
    pod_problems,
)


def deployment(**status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "n", "generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, **status},
    }


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, ""),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, "not yet seen"),
        # kubernetes.core takes this one for ready: complete and available, but partly the old version.
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, "1 of 2 updated"),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, "1 of 2 ready"),
        ({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, "1 old pods still there"),
        ({}, "0 of 2 updated"),
        (
            {"conditions": [condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")]},
            "0 of 2 updated; FailedCreate: exceeded quota",
        ),
        (
            {
                "updatedReplicas": 2,
                "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded", "late")],
            },
            "0 of 2 ready; ProgressDeadlineExceeded: late",
        ),
    ],
)
def test_deployments(status: dict[str, Any], reason: str) -> None:
    found = not_ready(deployment(**status))
    assert reason in found if reason else found == ""


def test_a_deployment_of_nothing_is_ready() -> None:
    assert not_ready({**deployment(), "spec": {"replicas": 0}}) == ""


@pytest.mark.parametrize(
    ("kind", "spec", "status", "reason"),
    [
        ("StatefulSet", {"replicas": 2}, {"readyReplicas": 1}, "1 of 2 ready"),
        (
            "StatefulSet",
            {"replicas": 2},
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
            "1 of 2 updated",
        ),
        (
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
            "",
        ),
        (
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b"},
            "",
        ),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 2}, "2 of 3 ready"),
        (
            "DaemonSet",
            {},
            {"desiredNumberScheduled": 3, "updatedNumberScheduled": 1, "numberReady": 3},
            "1 of 3 updated",
        ),
        ("DaemonSet", {}, {"desiredNumberScheduled": 0, "numberReady": 0}, ""),
        ("Job", {}, {"conditions": [condition("Complete", "True")]}, ""),
        ("Job", {}, {"conditions": [condition("Failed", "True", "BackoffLimitExceeded", "m")]}, "failed: BackoffLimit"),
        ("Job", {}, {"active": 1}, "not finished"),
        ("Pod", {}, {"phase": "Succeeded"}, ""),
        ("Pod", {}, {"phase": "Running", "conditions": [condition("Ready", "True")]}, ""),
        ("Pod", {}, {"phase": "Pending"}, "not ready"),
        ("PersistentVolumeClaim", {}, {"phase": "Pending"}, "is Pending"),
        ("PersistentVolumeClaim", {}, {"phase": "Bound"}, ""),
        ("CustomResourceDefinition", {}, {"conditions": [condition("Established", "True")]}, ""),
        ("CustomResourceDefinition", {}, {"conditions": [condition("NamesAccepted", "False", "Conflict")]}, "Conflict"),
        ("Service", {"type": "ClusterIP"}, {}, ""),
        ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}, "no address"),
        ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}, ""),
        ("Namespace", {}, {"phase": "Terminating"}, "Terminating"),
        ("ConfigMap", {}, {}, ""),
        ("VirtualService", {}, {}, ""),
    ],
)
def test_other_kinds(kind: str, spec: dict[str, Any], status: dict[str, Any], reason: str) -> None:
    found = not_ready({"kind": kind, "metadata": {}, "spec": spec, "status": status})
    assert reason in found if reason else found == ""


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1-x", "namespace": "n"},
        "status": {"phase": "Pending", "containerStatuses": list(containers), **status},
    }


class TestPods:
    def test_not_scheduled(self) -> None:
        found = pod_problems(pod(conditions=[condition("PodScheduled", "False", "Unschedulable", "0/3 nodes")]))
        assert found == ["Unschedulable: 0/3 nodes"]

    def test_image_cannot_be_pulled(self) -> None:
        state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}
        assert pod_problems(pod({"name": "app", "state": state})) == [
            "container app waits: ImagePullBackOff: no such tag"
        ]

    def test_crash_loop_reports_how_it_ended(self) -> None:
        container = {
            "name": "app",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
        assert pod_problems(pod(container)) == [
            "container app waits: CrashLoopBackOff (last time it ended with 137: OOMKilled)"
        ]

    def test_init_container(self) -> None:
        ended = {"name": "istio-validation", "state": {"terminated": {"exitCode": 126, "reason": "Error"}}}
        assert pod_problems(pod(initContainerStatuses=[ended])) == ["container istio-validation ended with 126: Error"]

    def test_probe(self) -> None:
        running = {"name": "app", "ready": False, "state": {"running": {}}}
        assert "readiness probe does not pass" in pod_problems(pod(running))[0]

    def test_evicted(self) -> None:
        assert pod_problems(pod(reason="Evicted", message="disk")) == ["Evicted: disk"]


def event(kind: str, name: str, reason: str, when: str, level: str = "Warning") -> dict[str, Any]:
    return {
        "type": level,
        "reason": reason,
        "message": "m",
        "lastTimestamp": when,
        "involvedObject": {"kind": kind, "name": name},
    }


class TestEvents:
    REF = Ref("apps/v1", "Deployment", "n", "web")

    def test_the_last_warnings_of_the_object_and_of_what_it_made(self) -> None:
        events = [
            event("ReplicaSet", "web-1", "First", "1"),
            event("ReplicaSet", "web-1", "FailedCreate", "3"),
            event("Pod", "web-1-x", "Unhealthy", "2"),
            event("Pod", "web-1-x", "Unhealthy", "4"),
            event("Pod", "web-1-x", "Scheduled", "5", "Normal"),
            event("Pod", "other-1", "Failed", "9"),
        ]
        assert last_events(events, self.REF) == [
            "Pod web-1-x: Unhealthy: m",
            "ReplicaSet web-1: FailedCreate: m",
            "ReplicaSet web-1: First: m",
        ]

    def test_without_warnings_any_will_do(self) -> None:
        assert last_events([event("Deployment", "web", "ScalingReplicaSet", "1", "Normal")], self.REF)


class TestExplanation:
    REF = Ref("apps/v1", "Deployment", "n", "web")

    def test_one_line_with_everything(self) -> None:
        state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}
        pods = [pod({"name": "app", "state": state})]
        line = explanation(self.REF, deployment(updatedReplicas=2), pods, [event("Pod", "web-1-x", "Failed", "1")])
        assert line == (
            "Deployment n/web: 0 of 2 ready; pod web-1-x: container app waits: ImagePullBackOff: no such tag; "
            "last events: Pod web-1-x: Failed: m"
        )

    def test_nothing_to_explain(self) -> None:
        ready = deployment(replicas=2, updatedReplicas=2, availableReplicas=2)
        assert explanation(self.REF, ready, [], []) == ""

    def test_it_is_not_there(self) -> None:
        assert explanation(self.REF, None, [], []) == "Deployment n/web: it does not exist"
