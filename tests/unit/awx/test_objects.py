"""All objects of the role, as awx.awx's own modules take them, and as a stand-in of the controller does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...integration.support.awx_controller import NO_CERTIFICATES, TOKEN, Controller, serve
from ...integration.support.awx_job import ROOT, objects
from ..support.awx_modules import argument_spec, call

ENVIRONMENTS = [
    {"name": "staging", "credentials": ["cluster staging"]},
    {"name": "production", "credentials": ["cluster production"], "approval_timeout": 7200},
]
VALUES = json.dumps(
    {
        "awx_organization": "Restaurant",
        "awx_environments": ENVIRONMENTS,
        "awx_credentials": [
            {"name": one["credentials"][0], "credential_type": "Bearer", "inputs": {"host": "h", "bearer_token": "t"}}
            for one in ENVIRONMENTS
        ],
        "awx_notifications": [
            {"name": "chat", "notification_type": "webhook", "notification_configuration": {"url": "http://chat"}}
        ],
    }
)
# In the order of infra.aap_configuration.dispatch, but for the execution environment, which projects name.
KINDS = {
    "controller_execution_environments": "execution_environment",
    "controller_credential_types": "credential_type",
    "controller_credentials": "credential",
    "controller_notifications": "notification_template",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_inventory_sources": "inventory_source",
    "controller_templates": "job_template",
    "controller_workflows": "workflow_job_template",
    "controller_schedules": "schedule",
}
LINKS = ("success_nodes", "failure_nodes", "always_nodes")
GOES_ON = ("success", "failure", "always")


def calls(environment: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(module, options) of each object, in the role's order; if wanted, without those of the other environments."""
    others = tuple(f"service mesh {one['name']}" for one in ENVIRONMENTS if environment and one["name"] != environment)
    data = {
        key: [item for item in items if not item["name"].startswith(others)] for key, items in objects(VALUES).items()
    }
    for key, module in KINDS.items():
        for item in data[key]:
            options = {key: value for key, value in item.items() if key != "simplified_workflow_nodes" and value != ""}
            # One secret that the controller does not show; the role leaves it alone.
            yield module, {**options, **({"update_secrets": False} if module == "credential" else {})}
            nodes = item.get("simplified_workflow_nodes", [])
            where = {"workflow_job_template": item["name"], "organization": item.get("organization")}
            for node in nodes:
                made = {name: value for name, value in node.items() if name not in LINKS}
                yield "workflow_job_template_node", {**where, **made}
            for node in nodes:
                links = {name: node[name] for name in LINKS}
                if any(links.values()):
                    yield "workflow_job_template_node", {**where, "identifier": node["identifier"], **links}


@pytest.mark.parametrize("key", KINDS)
def test_there_is_something_of_each_kind(key: str) -> None:
    assert objects(VALUES)[key]


def test_the_modules_take_every_object() -> None:
    for module, options in calls():
        checked = ArgumentSpecValidator(argument_spec(module)).validate(options)
        assert checked.error_messages == [], (module, options["name" if "name" in options else "identifier"])


def test_names_are_unique() -> None:
    data = objects(VALUES)
    for key in KINDS:
        names = [item["name"] for item in data[key]]
        assert len(set(names)) == len(names), key


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    made = Controller(ROOT / "playbooks")
    made.add("organizations", name="Restaurant")
    inputs = {"fields": [{"id": "host"}, {"id": "bearer_token", "secret": True}]}
    made.add("credential_types", name="Bearer", kind="kubernetes", inputs=inputs)
    # The module waits a second for a project's update to settle.
    monkeypatch.setattr("time.sleep", lambda _: None)
    for name, value in NO_CERTIFICATES.items():
        monkeypatch.setenv(name, value)
    with serve(made) as address:
        monkeypatch.setenv("CONTROLLER_HOST", address)
        monkeypatch.setenv("CONTROLLER_OAUTH_TOKEN", TOKEN)
        yield made


def test_all_objects_are_made_once(controller: Controller) -> None:
    made = [call(module, options)["changed"] for module, options in calls("staging")]
    assert all(made)
    before = len(controller.writes)
    again = [(module, options) for module, options in calls("staging") if call(module, options)["changed"]]
    assert (again, controller.writes[before:]) == ([], [])
    assert len(controller.objects["job_templates"]) == len(defined("__awx_templates"))
    assert len(controller.objects["schedules"]) == 1
    links = [
        node[name] for flow in defined("__awx_workflows") for node in flow["nodes"] for name in node if name in GOES_ON
    ]
    there = [members for (kind, *__), members in controller.lists.items() if kind == "workflow_job_template_nodes"]
    assert sum(map(len, there)) == sum(map(len, links))


def defined(name: str) -> Any:
    return yaml.safe_load((ROOT / "roles/awx/vars/main.yml").read_text())[name]


@pytest.mark.parametrize("template", defined("__awx_templates"), ids=lambda template: template["name"])
def test_a_template_s_playbook_is_there(template: dict[str, Any]) -> None:
    assert (ROOT / template["playbook"]).is_file()


def test_every_playbook_for_operators_has_a_template() -> None:
    # The controller does not run the lab, uninstalling must not be a click, awx.yml makes what would run
    # it, and the others are for alerts, for GitHub's job summaries and for users at a terminal.
    others = {"awx", "uninstall", "canary_abort_on_alert", "canary_summary", "dashboards", "inventory_new"}
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml") if not path.stem.startswith("lab_")} - others
    named = {template["playbook"].split("/")[1].removesuffix(".yml") for template in defined("__awx_templates")}
    assert playbooks - named == set()


def test_an_approval_expires_before_its_gate() -> None:
    """A gate that expires first would roll back a canary that is about to be approved."""
    data = objects(VALUES)
    for environment in ENVIRONMENTS:
        prefix = f"service mesh {environment['name']} "
        gated = next(one for one in data["controller_templates"] if one["name"] == f"{prefix}canary to approval")
        flow = next(one for one in data["controller_workflows"] if one["name"] == f"{prefix}release")
        node = next(one for one in flow["simplified_workflow_nodes"] if one["identifier"] == "approve_promotion")
        (gate,) = gated["extra_vars"]["canary_gates"]
        assert gate["timeout"] == f"{node['approval_node']['timeout']}s"
