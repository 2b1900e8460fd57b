"""GitLab's templates: valid by GitLab's schema, and running only playbooks and variables that exist.

No GitLab has run them.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml

from ..workflow_steps import COLLECTION, ROOT, load

TEMPLATES = sorted((ROOT / "ci/gitlab").glob("*.yml"))
IMAGE = f"ghcr.io/corpv3/service-mesh-ee:{load(ROOT / 'galaxy.yml')['version']}"
# GitLab's own, and what the pages tell the user to set.
GIVEN = {"CI_JOB_STATUS", "MESH_ENVIRONMENT", "CANARY_SERVICE", "CANARY_IMAGE_TAG"}
ENVIRONMENT = re.compile(r"lookup\('ansible\.builtin\.env', '(\w+)'\)")


def schema() -> Any:
    """As check-jsonschema carries it."""
    folder = resources.files("check_jsonschema") / "builtin_schemas/vendor"
    return json.loads((folder / "gitlab-ci.json").read_text(encoding="utf-8"))


def jobs() -> dict[str, dict[str, Any]]:
    """With what they extend, and without the hidden ones."""
    found: dict[str, dict[str, Any]] = {}
    for path in TEMPLATES:
        written = load(path)
        for name, job in written.items():
            if not name.startswith("."):
                base = written[job["extends"]] if "extends" in job else {}
                found[name] = base | job
    return found


JOBS = jobs()


def calls(job: dict[str, Any]) -> list[list[str]]:
    return [
        shlex.split(line.partition("|| ")[2] or line)
        for part in ("script", "after_script")
        for line in job.get(part, [])
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_gitlabs_schema_accepts_it(path: Any) -> None:
    template = yaml.safe_load(path.read_text())
    jsonschema.validate(template, schema())
    (name, *_others) = (name for name in template if not name.startswith("."))
    template[name]["when"] = "sometimes"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(template, schema())


@pytest.mark.parametrize("name", JOBS)
def test_a_job_calls_playbooks_with_the_variables_that_they_read(name: str) -> None:
    job = JOBS[name]
    assert job["image"]["name"] == IMAGE
    assert calls(job)
    for program, playbook, *arguments in calls(job):
        assert program == "ansible-playbook"
        assert (ROOT / "playbooks" / f"{playbook.removeprefix(COLLECTION)}.yml").is_file(), playbook
        read = set(re.findall(r"\$(\w+)", " ".join(arguments)))
        for given in (word for before, word in itertools.pairwise(arguments) if before == "-e"):
            text = (ROOT / given.replace("@$SERVICE_MESH/", "")).read_text(encoding="utf-8")
            read |= set(ENVIRONMENT.findall(text))
        assert read - GIVEN <= set(job["variables"]), name


def test_who_stops_a_canary_waits_for_no_approval() -> None:
    for name in ("mesh-canary-plan", "mesh-canary-abort", "mesh-canary-reconcile"):
        assert JOBS[name]["environment"]["name"].endswith("-operator")
    assert JOBS["mesh-canary-abort"]["needs"] == [], "in every step of the run"
    for name in ("mesh-canary", "mesh-canary-promote"):
        assert JOBS[name]["environment"]["name"] == "$MESH_ENVIRONMENT"
        (rule,) = JOBS[name]["rules"]
        assert (rule["when"], rule["allow_failure"]) == ("manual", False)
        assert JOBS[name]["interruptible"] is False
        # A second canary of the service waits.
        assert "$CANARY_SERVICE" in JOBS[name]["resource_group"]


def test_a_canary_that_was_cancelled_or_not_promoted_is_rolled_back() -> None:
    for name, spared in (("mesh-canary", "!= canceled"), ("mesh-canary-promote", "= success")):
        (line,) = JOBS[name]["after_script"]
        assert line.startswith(f'test "$CI_JOB_STATUS" {spared} || ansible-playbook {COLLECTION}canary_abort ')
