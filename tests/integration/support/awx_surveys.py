"""How AWX judges surveys and their answers (awx/main: api/views, models/mixins.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SURVEY_TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}


def survey_problems(spec: Mapping[str, Any]) -> list[str]:
    """What AWX finds wrong in a survey when it is saved."""
    found = [f"survey has no {key}" for key in ("name", "description", "spec") if key not in spec]
    names = [question.get("variable") for question in spec.get("spec", [])]
    found += [f"{name} is asked twice" for name in set(names) if names.count(name) > 1]
    for question in spec.get("spec", []):
        name = question.get("variable", "?")
        found += [
            f"{name} has no {key}" for key in ("question_name", "variable", "type", "required") if key not in question
        ]
        if question.get("type") not in SURVEY_TYPES:
            found.append(f"{name} has the type {question.get('type')}")
        if question.get("type", "").startswith("multi") and not question.get("choices"):
            found.append(f"{name} has no choices")
        if "default" in question:
            found += answer_problems({**question, "required": False}, {name: question["default"]})
    return found


def answer_problems(question: Mapping[str, Any], answers: Mapping[str, Any]) -> list[str]:
    """What AWX finds wrong in the answer to a question, before there is a job."""
    name, kind = question["variable"], question["type"]
    if name not in answers:
        return [f"{name} is missing"] if question["required"] else []
    value = answers[name]
    low, high = question.get("min"), question.get("max")
    if kind in ("text", "textarea", "password"):
        if not isinstance(value, str):
            return [f"{name} must be a text"]
        size: float = len(value)
    elif kind in ("integer", "float"):
        if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else (int, float)):
            return [f"{name} must be of type {kind}"]
        size = value
    else:
        wrong = [
            choice for choice in (value if kind == "multiselect" else [value]) if choice not in question["choices"]
        ]
        return [f"{name} is {choice}, which is not one of the choices" for choice in wrong]
    too_small = low is not None and size < low
    too_big = high is not None and size > high
    return [f"{name} is too small or too short"] * too_small + [f"{name} is too big or too long"] * too_big
