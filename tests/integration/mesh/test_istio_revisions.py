"""A control plane beside another one, which it replaces and which it is replaced by."""

from __future__ import annotations

from typing import Any

from kubernetes import client

from ..support.playbooks import RunPlaybook

NAMESPACE = "istio-system"


def test_a_control_plane_is_replaced_step_by_step(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    def step(*revisions: str, active: str, **variables: str) -> Any:
        planes = [{"revision": revision, "version": "1.31.0"} for revision in revisions]
        settings = {"istio_revisions": planes, "istio_revision": active, **variables}
        return run_playbook("site.yml", "--tags", "istio", variables=settings)

    def tagged() -> Any:
        return webhooks.read_mutating_webhook_configuration("istio-revision-tag-stable").webhooks

    def gateway_revisions() -> set[str]:
        pods = client.CoreV1Api(api).list_namespaced_pod(NAMESPACE, label_selector="istio=ingressgateway").items
        return {pod.metadata.annotations["istio.io/rev"] for pod in pods if not pod.metadata.deletion_timestamp}

    webhooks = client.AdmissionregistrationV1Api(api)
    run = step("", "next", active="next", istio_revision_tag="stable")
    assert run.rc == 0, run.stdout
    assert {webhook.client_config.service.name for webhook in tagged()} == {"istiod-next"}
    assert all(webhook.client_config.ca_bundle for webhook in tagged())
    assert gateway_revisions() == {"next"}

    # Its gateways still run, so it cannot go.
    run = step("", active="", istio_revision_tag="stable")
    assert run.rc != 0
    assert "istio_revisions no longer has the control plane istiod-next" in run.text
    assert f"{NAMESPACE}/istio-ingressgateway" in run.text

    run = step("", "next", active="", istio_revision_tag="stable")
    assert run.rc == 0, run.stdout
    assert {webhook.client_config.service.name for webhook in tagged()} == {"istiod"}
    assert gateway_revisions() == {"default"}

    run = step("", active="")
    assert run.rc == 0, run.stdout
    names = {item.metadata.name for item in webhooks.list_mutating_webhook_configuration().items}
    assert not names & {"istio-revision-tag-stable", "istio-sidecar-injector-next"}
