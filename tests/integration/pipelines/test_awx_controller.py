"""playbooks/awx.yml against a stand-in of the controller's API: what it really sends, and nothing the second time.

With few templates, for each object is a process. tests/unit/awx sends all of them in one, tests/soak/test_awx.py by the
playbook.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from ..support.awx_controller import NO_CERTIFICATES, TOKEN, Controller, serve
from ..support.playbooks import ROOT

SECRET = "a-secret-token"
BEARER = "OpenShift or Kubernetes API Bearer Token"
VALUES: dict[str, Any] = {
    "awx_organization": "Restaurant",
    "awx_execution_environment_image": "registry.example.com/service-mesh-ee:0.1.0",
    "awx_environments": [{"name": "staging", "credentials": ["cluster staging"], "approval_timeout": 600}],
    "awx_credentials": [
        {
            "name": "cluster staging",
            "credential_type": BEARER,
            "inputs": {
                "host": "https://staging:6443",
                "bearer_token": SECRET,
                "verify_ssl": True,
                "ssl_ca_cert": "-----BEGIN",
            },
        }
    ],
    "awx_notifications": [
        {
            "name": "chat",
            "notification_type": "webhook",
            "notification_configuration": {
                "url": "https://chat.example.com/hook",
                "http_method": "POST",
                "headers": {},
            },
        }
    ],
}


def fewer() -> dict[str, Any]:
    """Three templates and a workflow of them: enough for each kind of object, prompt and link."""
    known = yaml.safe_load((ROOT / "roles/awx/vars/main.yml").read_text())
    names = ("canary to approval", "canary abort", "canary reconcile")
    release = next(workflow for workflow in known["__awx_workflows"] if workflow["name"] == "release")
    nodes = [
        {"id": "canary", "template": "canary to approval", "success": ["approve_promotion"], "failure": ["abort"]},
        {"id": "approve_promotion", "approval": "Shall it be promoted?", "failure": ["abort"]},
        {"id": "abort", "template": "canary abort"},
    ]
    return {
        "__awx_templates": [template for template in known["__awx_templates"] if template["name"] in names],
        "__awx_workflows": [{**release, "nodes": nodes}],
    }


def controller_with_required_objects() -> Controller:
    made = Controller(ROOT / "playbooks")
    made.add("organizations", name="Restaurant")
    secret = {"bearer_token", "ssl_ca_cert"}
    fields = [{"id": name, "secret": name in secret} for name in ("host", "bearer_token", "verify_ssl", "ssl_ca_cert")]
    made.add("credential_types", name=BEARER, kind="kubernetes", inputs={"fields": fields}, managed=True)
    return made


@pytest.fixture
def controller() -> Controller:
    return controller_with_required_objects()


@pytest.fixture
def address(controller: Controller) -> Iterator[str]:
    with serve(controller) as url:
        yield url


def apply(address: str, *arguments: str, token: str = TOKEN, **variables: Any) -> tuple[int, int, str]:
    """(return code, changed tasks, output) of playbooks/awx.yml."""
    surroundings: Mapping[str, str] = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "1",
        **NO_CERTIFICATES,
        "CONTROLLER_HOST": address,
        "CONTROLLER_OAUTH_TOKEN": token,
    }
    command = [
        "ansible-playbook",
        str(ROOT / "playbooks/awx.yml"),
        "-e",
        json.dumps({**VALUES, **variables}),
        *arguments,
    ]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    changed = [int(word.removeprefix("changed=")) for word in text.split() if word.startswith("changed=")]
    return done.returncode, changed[-1] if changed else 0, text


def links(controller: Controller, workflow: str) -> set[tuple[str, str, str]]:
    """(from, success, failure or always, to) of a workflow."""
    nodes = controller.objects["workflow_job_template_nodes"]
    number = controller.named("workflow_job_templates", workflow)["id"]
    return {
        (node["identifier"], name.removesuffix("_nodes"), nodes[member]["identifier"])
        for node in nodes.values()
        if node["workflow_job_template"] == number
        for name in ("success_nodes", "failure_nodes", "always_nodes")
        for member in controller.lists.get(("workflow_job_template_nodes", node["id"], name), [])
    }


def test_everything_is_made_once(controller: Controller, address: str) -> None:
    rc, changed, text = apply(address, **fewer())
    assert rc == 0, text
    assert changed > 0
    assert SECRET not in text
    canary = controller.named("job_templates", "service mesh staging canary to approval")
    assert canary["playbook"] == "playbooks/canary.yml"
    assert canary["inventory"] == controller.named("inventories", "service mesh staging")["id"]
    credentials = controller.lists["job_templates", canary["id"], "credentials"]
    assert [controller.objects["credentials"][number]["name"] for number in credentials] == ["cluster staging"]
    assert json.loads(canary["extra_vars"]) == {"canary_gates": [{"at": "promotion", "type": "awx", "timeout": "600s"}]}
    # What AWX puts into files and the environment comes to it as it is written.
    injectors = controller.named("credential_types", "service mesh kubeconfig")["injectors"]
    assert injectors["file"] == {"template.kubeconfig": "{{ kubeconfig }}"}
    assert links(controller, "service mesh staging release") == {
        ("canary", "success", "approve_promotion"),
        ("canary", "failure", "abort"),
        ("approve_promotion", "failure", "abort"),
    }
    assert {one["timeout"] for one in controller.objects["workflow_approval_templates"].values()} == {600}
    assert len(controller.objects["schedules"]) == 1

    before = len(controller.writes)
    rc, changed, text = apply(address, **fewer())
    assert rc == 0, text
    assert (changed, controller.writes[before:]) == (0, []), text


def test_a_check_of_an_empty_controller_writes_nothing(controller: Controller, address: str) -> None:
    rc, changed, text = apply(address, "--check", **fewer())
    assert rc == 0, text
    assert changed > 0
    assert controller.writes == []
    assert "Not compared: the nodes of" in text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"token": "wrong"}, ["could not be queried", "CONTROLLER_OAUTH_TOKEN"]),
        ({"awx_organization": "Unknown"}, ["awx_organization is 'Unknown'"]),
        ({"awx_credentials": []}, ["credentials that the controller does not have: cluster staging"]),
        (
            {
                "awx_execution_environment_image": "registry.example.com:5000/ee",
                "awx_environments": [
                    {"name": "Staging EU", "credentials": [], "approval_timeout": 5},
                    {"name": "a", "credentials": ["x"]},
                    {"name": "a", "credentials": ["x"]},
                ],
                "awx_reconcile_minutes": 90,
            },
            [
                "awx_execution_environment_image is",
                "the name 'Staging EU'",
                "no credentials for Staging EU",
                "approval_timeout 5",
                "has a more than once",
                "awx_reconcile_minutes is 90",
            ],
        ),
    ],
    ids=["token", "organization", "credential", "variables"],
)
def test_bad_input_changes_nothing(
    variables: dict[str, Any], words: list[str], controller: Controller, address: str
) -> None:
    rc, __, text = apply(address, **variables)
    assert rc != 0
    running = " ".join(text.replace("''", "'").split())
    assert [word for word in words if word not in running] == [], text
    assert "Nothing was changed." in running
    assert controller.writes == []
    assert SECRET not in text
