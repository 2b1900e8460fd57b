"""GitHub's workflows: pinned, with no more rights than they need, and running nothing but playbooks that are there.

Whether they are workflows at all says actionlint (tools/lint.sh).
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..workflow_steps import DEPLOYING, EXPRESSION, REUSABLE, ROOT, WORKFLOWS, Step, load, steps, triggers

ALL = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
USES = re.compile(r"^\s*(?:- )?(?:&\w+\s+)?uses: (\S+)(?: # (\S+))?$", re.MULTILINE)
STEPS = [step for name in (*DEPLOYING, *REUSABLE) for step in steps(name)]
VERSION = load(ROOT / "galaxy.yml")["version"]
# This repository, by the name with which other ones call its actions.
OWN = "corpv3/service_mesh/"
# What the runner itself sets, and the action that installs the collection.
RUNNERS = {"GITHUB_STEP_SUMMARY", "SERVICE_MESH"}
ENVIRONMENT = re.compile(r"lookup\('ansible\.builtin\.env', '(\w+)'\)")


@functools.cache
def variables_of_roles_and_playbooks() -> set[str]:
    """Options of roles, the inventory's variables behind their defaults, and variables of plays."""
    known: set[str] = set()
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        text = path.read_text(encoding="utf-8")
        known |= set(yaml.safe_load(text)) | set(re.findall(r"\bservice_mesh_\w+", text))
    for path in ROOT.glob("playbooks/*.yml"):
        known |= {name for play in yaml.safe_load(path.read_text(encoding="utf-8")) for name in play.get("vars", {})}
    return known


def extra_variables(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for given in step.variables:
        found |= load(ROOT / given[1:]) if given.startswith("@") else json.loads(given)
    return found


def tags(value: Any) -> set[str]:
    """Of every task and play below."""
    if isinstance(value, list):
        return {tag for entry in value for tag in tags(entry)}
    if isinstance(value, dict):
        own = value.get("tags", [])
        return set(own if isinstance(own, list) else [own]) | {t for entry in value.values() for t in tags(entry)}
    return set()


def test_an_action_is_pinned_by_a_commit_that_the_documentation_lists() -> None:
    pins: set[tuple[str, str, str]] = set()
    for path in [*sorted(WORKFLOWS.glob("*.yml")), *ACTIONS]:
        for action, version in USES.findall(path.read_text(encoding="utf-8")):
            if action.startswith("./"):
                assert (ROOT / action).exists(), f"{path.name}: {action}"
                continue
            name, __, commit = action.partition("@")
            if name.startswith(OWN):
                assert commit == VERSION, f"{path.name}: {action} is not of this version"
                assert (ROOT / name.removeprefix(OWN) / "action.yml").is_file(), action
                continue
            assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{path.name}: {action} is not pinned by a commit"
            assert re.fullmatch(r"v\d+\.\d+\.\d+", version or ""), f"{path.name}: {action} does not say its version"
            pins.add((name, version, commit))
    listed = re.findall(
        r"^\| `([^`]+)` \| (v\S+) \| `([0-9a-f]{40})` \|", (ROOT / "docs/ci.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(pins)
    assert len({name for name, __, __ in pins}) == len(pins), "one action in two versions"


@pytest.mark.parametrize("name", ALL)
def test_a_workflow_gives_each_job_only_what_it_needs(name: str) -> None:
    workflow = load(WORKFLOWS / name)
    assert workflow["permissions"] == {}
    for job_name, job in workflow["jobs"].items():
        # A copy: jobs share it by an anchor.
        rights = dict(job["permissions"])
        assert rights.pop("contents") == "read", job_name
        assert set(rights) <= {"id-token", "attestations", "security-events", "packages"}, job_name
        assert ("id-token" in rights) == uses_identity(job), f"{job_name}: id-token"
        assert "timeout-minutes" in job or "uses" in job, job_name


def uses_identity(job: dict[str, Any]) -> bool:
    used = [step.get("uses", "").partition("@")[0].replace(OWN, "./") for step in job.get("steps", [])]
    return bool({"./.github/actions/cluster", "actions/attest-build-provenance"} & set(used))


@pytest.mark.parametrize(
    "path", [*(WORKFLOWS / name for name in ALL), *ACTIONS], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_no_expression_is_pasted_into_a_shell(path: Path) -> None:
    content = load(path)
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    for step in (step for job in jobs for step in job.get("steps", [])):
        assert not EXPRESSION.search(step.get("run", "")), step


def test_secrets_reach_only_what_is_made_for_them() -> None:
    """The kubeconfig's action, a login, Galaxy's variable: no command line, no output, no workflow-wide environment."""
    for name in ALL:
        for line in (WORKFLOWS / name).read_text(encoding="utf-8").splitlines():
            if re.search(r"\bsecrets\.[A-Z]", line):
                key = line.split(":")[0].strip()
                assert key in {"kubeconfig", "username", "password", "ANSIBLE_GALAXY_SERVER_GALAXY_TOKEN"}, line


@pytest.mark.parametrize(
    "name", [name for name in ALL if name not in ("validate.yml", "mesh-validate.yml", "ci.yml", "release.yml")]
)
def test_whatever_reaches_a_cluster_does_so_in_an_environment(name: str) -> None:
    for job_name, job in load(WORKFLOWS / name)["jobs"].items():
        assert job.get("environment"), job_name


def test_environments_do_not_wait_for_each_other_and_nothing_is_cut_off() -> None:
    deploy = load(WORKFLOWS / "ci-cd-istio.yml")["concurrency"]
    canary = load(WORKFLOWS / "canary.yml")["concurrency"]
    assert "'production' || 'staging'" in deploy["group"]
    assert "inputs.environment" in canary["group"] and "inputs.service" in canary["group"]
    assert not deploy["cancel-in-progress"] and not canary["cancel-in-progress"]
    # An abort waits for no queue and no approval.
    abort = load(WORKFLOWS / "canary-abort.yml")
    assert "concurrency" not in abort
    assert all(job["environment"].endswith("-operator") for job in abort["jobs"].values())


@pytest.mark.parametrize("name", ["canary.yml", "mesh-canary.yml"])
def test_a_canary_that_is_not_promoted_is_rolled_back(name: str) -> None:
    jobs = load(WORKFLOWS / name)["jobs"]
    assert jobs["promote"]["needs"] == "canary" and jobs["canary"]["needs"] == "plan"
    assert jobs["abort"]["needs"] == ["canary", "promote"] and jobs["abort"]["if"].startswith("always()")
    for name in ("abort", "clean-up"):
        assert jobs[name]["environment"].endswith("-operator"), "it must not wait for an approval"


def test_a_canarys_process_gets_the_cancellation_of_the_workflow() -> None:
    """GitHub's runner signals the step's own process, and no other: the shell would keep it for itself."""
    carries_on = {"playbooks/canary.yml", "playbooks/canary_resume.yml", "playbooks/canary_promote.yml"}
    found = [step for step in STEPS if step.playbook in carries_on and "--check" not in step.words]
    assert len(found) >= 4
    assert [str(step) for step in found if not step.run.startswith("exec ")] == []


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_calls_a_playbook_with_variables_that_there_are(step: Step) -> None:
    assert step.words[0] == "ansible-playbook", step.run
    assert len(step.run.strip().splitlines()) == 1 and not re.search(r"[;&|`]|\$\(|>>?", step.run), step.run
    assert (ROOT / step.playbook).is_file(), step.playbook
    assert set(extra_variables(step)) <= variables_of_roles_and_playbooks()
    known = tags(yaml.safe_load((ROOT / step.playbook).read_text(encoding="utf-8")))
    for given in step.following("--tags"):
        assert set(given.split(",")) <= known, given
    for inventory in step.following("-i"):
        assert inventory == ("$MESH_INVENTORY" if step.workflow in REUSABLE else "inventories/$MESH_ENVIRONMENT")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_has_the_environment_that_it_reads(step: Step) -> None:
    read = set(re.findall(r"\$(\w+)", step.run))
    for given in step.variables:
        if given.startswith("@"):
            read |= set(ENVIRONMENT.findall((ROOT / given[1:]).read_text(encoding="utf-8")))
    assert read - set(step.env) - RUNNERS == set()


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / ".github/vars").glob("*.yml")), *sorted((ROOT / "playbooks/vars").glob("pipeline_*.yml"))],
    ids=lambda path: path.name,
)
def test_a_file_of_variables_is_used(path: Path) -> None:
    assert any(f"@{path.relative_to(ROOT)}" in step.variables for step in STEPS)


def test_other_repositories_install_this_version_and_what_it_is_tested_with() -> None:
    action = load(ROOT / ".github/actions/install/action.yml")
    assert action["inputs"]["collection"]["default"] == f"corpv3.service_mesh:{VERSION}"
    environment = load(ROOT / "execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
    assert f"'{environment}'" in action["runs"]["steps"][1]["run"]


@pytest.mark.parametrize("name", REUSABLE)
def test_only_other_repositories_start_a_reusable_workflow(name: str) -> None:
    assert list(triggers(load(WORKFLOWS / name))) == ["workflow_call"]
    # A checkout of this repository, as ./ would be, is not there.
    assert "./" not in (WORKFLOWS / name).read_text().replace(OWN, "")


def test_the_environments_have_inventories() -> None:
    offered = [
        triggers(load(WORKFLOWS / name))["workflow_dispatch"]["inputs"]["environment"]["options"]
        for name in ("canary.yml", "canary-abort.yml")
    ]
    offered.append(load(WORKFLOWS / "canary-reconcile.yml")["jobs"]["reconcile"]["strategy"]["matrix"]["environment"])
    assert all(environments == ["staging", "production"] for environments in offered)
    assert all((ROOT / "inventories" / environment).is_dir() for environment in offered[0])


def test_the_services_are_those_of_the_chart() -> None:
    chart = list(load(ROOT / "roles/restaurant_app/files/chart/values.yaml")["services"])
    assert load(WORKFLOWS / "ci-cd-istio.yml")["jobs"]["build"]["strategy"]["matrix"]["service"] == chart
    for name in ("canary.yml", "canary-abort.yml"):
        assert triggers(load(WORKFLOWS / name))["workflow_dispatch"]["inputs"]["service"]["options"] == chart


def test_the_inputs_defaults_are_the_roles() -> None:
    inputs = triggers(load(WORKFLOWS / "canary.yml"))["workflow_dispatch"]["inputs"]
    assert [int(step) for step in inputs["steps"]["default"].split(",")] == load(
        ROOT / "roles/canary/defaults/main.yml"
    )["canary_steps"]
    production = load(ROOT / "inventories/production/group_vars/clusters/main.yml")
    assert inputs["step_duration"]["default"] == production["canary_step_duration"]


def test_ci_has_every_ansible_core_that_the_collection_supports() -> None:
    jobs = load(WORKFLOWS / "ci.yml")["jobs"]
    tested = [entry["core"] for entry in jobs["ansible-core"]["strategy"]["matrix"]["include"]]
    assert tested == ["2.19", "2.20", "2.21"]
    assert f'">={tested[0]}.0"' in (ROOT / "meta/runtime.yml").read_text(encoding="utf-8")
    assert set(tested) == set(re.findall(r"\[(2\.\d+)\]=", (ROOT / "tools/core.sh").read_text(encoding="utf-8")))
