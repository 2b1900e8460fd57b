"""Surveys ask what the roles take: the same types, choices, defaults and limits as their argument specs."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import LONGEST_TAG

from ...integration.support.awx_job import ROOT, objects
from ...integration.support.awx_surveys import answer_problems, survey_problems

DATA = objects()
TEMPLATES = DATA["controller_templates"] + DATA["controller_workflows"]
QUESTIONS: dict[str, dict[str, Any]] = {
    question["variable"]: question
    for template in TEMPLATES
    for question in template.get("survey_spec", {}).get("spec", [])
}
# A question's type -> the types of a role's option that it can ask for.
TYPES = {
    "text": {"str", "raw", "list", "dict"},
    "textarea": {"str", "raw", "list", "dict"},
    "multiplechoice": {"str", "bool"},
    "multiselect": {"list"},
    "integer": {"int"},
    "float": {"float"},
}


@functools.cache
def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def option(variable: str) -> dict[str, Any]:
    """The option of the role whose name the variable begins with."""
    role = variable.split("_")[0]
    found: dict[str, Any] = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"][variable]
    return found


def as_the_role_reads_it(answer: Any) -> Any:
    """Lists and dictionaries come as text."""
    return (
        yaml.safe_load(answer if answer.startswith(("[", "{")) else f"[{answer}]")
        if isinstance(answer, str)
        else answer
    )


def problems(question: dict[str, Any], wanted: dict[str, Any], default: Any) -> list[str]:
    """What differs between a question and the option that it sets."""
    found = []
    if wanted.get("type", "str") not in TYPES[question["type"]]:
        found.append(f"is {question['type']} and sets a {wanted.get('type')}")
    if wanted.get("choices") and question.get("choices") != wanted["choices"]:
        found.append(f"offers {question.get('choices')}, and the role takes {wanted['choices']}")
    if "default" in question:
        given = question["default"]
        if wanted.get("type") in ("list", "dict"):
            given = as_the_role_reads_it(given)
        if given != default:
            found.append(f"has the default {given}, and the role has {default}")
    if not question["required"] or question.get("default") == "":
        found.append("may be left empty, and an empty answer reaches the role as none")
    return found


@pytest.mark.parametrize("variable", QUESTIONS)
def test_a_question_equals_its_option(variable: str) -> None:
    default = load(f"roles/{variable.split('_')[0]}/defaults/main.yml")[variable]
    assert problems(QUESTIONS[variable], option(variable), default) == []


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"type": "text"}, "sets a int"),
        ({"type": "integer", "default": 3, "required": True}, "default 3"),
        ({"type": "integer", "required": False}, "left empty"),
        ({"type": "integer", "required": True, "choices": [1]}, "offers [1]"),
    ],
)
def test_what_differs_is_found(question: dict[str, Any], word: str) -> None:
    wanted = {"type": "int", "choices": [1, 2]}
    assert any(word in problem for problem in problems({"required": True, **question}, wanted, 2))


def test_the_services_are_the_application_s() -> None:
    chart = load("roles/restaurant_app/files/chart/values.yaml")
    assert QUESTIONS["canary_service"]["choices"] == list(chart["services"])


def test_a_tag_may_be_as_long_as_the_role_lets_it() -> None:
    question = QUESTIONS["canary_image_tag"]
    assert (question["min"], question["max"]) == (1, LONGEST_TAG)


@pytest.mark.parametrize("template", [one for one in TEMPLATES if "survey_spec" in one], ids=lambda one: one["name"])
def test_the_controller_takes_the_survey(template: dict[str, Any]) -> None:
    assert survey_problems(template["survey_spec"]) == []
    assert template["survey_enabled"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one["name"])
def test_what_a_template_sends_satisfies_the_argument_spec(template: dict[str, Any]) -> None:
    """Its own variables, its survey's defaults, and for what has none an answer that the survey takes."""
    sent = dict(template.get("extra_vars", {}))
    for question in template.get("survey_spec", {}).get("spec", []):
        sent[question["variable"]] = question.get("default", question.get("choices", ["2.10"])[0])
        assert answer_problems(question, sent) == []
    spec = {variable: {k: v for k, v in option(variable).items() if k in KEPT} for variable in sent}
    assert ArgumentSpecValidator(spec).validate(json.loads(json.dumps(sent))).error_messages == []


KEPT = ("type", "elements", "choices", "required")


@pytest.mark.parametrize(
    ("variable", "answer"),
    [
        ("canary_service", "waiter"),
        ("canary_image_tag", ""),
        ("canary_image_tag", "1" * 129),
        ("canary_strategy", "fast"),
        ("canary_steps", ""),
        ("validate_fail_on", "panic"),
        ("validate_certificate_days", "30"),
        ("smoke_timeout", -1),
    ],
)
def test_a_bad_answer_is_refused_before_there_is_a_job(variable: str, answer: Any) -> None:
    assert answer_problems(QUESTIONS[variable], {variable: answer})


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_no_environment_sets_what_a_survey_would_overwrite(environment: str) -> None:
    """An answer wins over the inventory, and a default is an answer."""
    facts: dict[str, Any] = {}
    for path in sorted((ROOT / f"inventories/{environment}/group_vars/clusters").glob("*.yml")):
        facts |= yaml.safe_load(path.read_text())
    assert facts.keys() & QUESTIONS.keys() == set()
