"""The rulebook: its verdict by ansible-rulebook's own schema, and that it reads what the alerts have."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULEBOOK = ROOT / "extensions/eda/rulebooks/canary_abort.yml"
TESTS = sorted((ROOT / "tests/rules").glob("*.yml"))
RULES = yaml.safe_load(RULEBOOK.read_text())[0]["rules"]
# Who acts is named there; who is only heard of, nowhere.
ACTING = {"HighErrorRate", "HighLatency", "CanaryStuck", "CanaryAbandoned"}


def schema() -> Any:
    """Read, not imported: the package starts a Java machine."""
    found = importlib.util.find_spec("ansible_rulebook")
    assert found and found.submodule_search_locations, "ansible-rulebook is missing: extensions/eda/requirements.txt"
    return json.loads((Path(found.submodule_search_locations[0]) / "schema/ruleset_schema.json").read_text())


@cache
def fired() -> dict[str, list[dict[str, str]]]:
    """Labels of each alert that Prometheus' own tests of the rules see firing."""
    found: dict[str, list[dict[str, str]]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                labels = [expected["exp_labels"] for expected in case["exp_alerts"]]
                found.setdefault(case["alertname"], []).extend(labels)
    return found


def rule_for(alert: str) -> dict[str, Any]:
    """The first rule that names the alert."""
    for rule in RULES:
        condition = rule["condition"]
        named = re.search(r'alertname is match\("([^"]+)"\)', condition)
        if f'"{alert}"' in condition or (named and re.search(named[1], alert)):
            found: dict[str, Any] = rule
            return found
    raise AssertionError(f"no rule is about {alert}")


def test_ansible_rulebook_takes_it() -> None:
    jsonschema.validate(yaml.safe_load(RULEBOOK.read_text()), schema())


@pytest.mark.parametrize("alert", sorted(ACTING))
def test_the_alert_has_what_its_rule_reads(alert: str) -> None:
    rule = rule_for(alert)
    patterns = dict(re.findall(r'and event\.labels\.(\w+) is match\("([^"]+)"\)', rule["condition"]))
    assert fired()[alert]
    for labels in fired()[alert]:
        for label, pattern in patterns.items():
            assert re.search(pattern, {**labels, "alertname": alert}[label]), f"{label} of {labels}"


def test_no_other_alert_of_ours_acts() -> None:
    others = set(fired()) - ACTING
    assert others
    for alert in others:
        with pytest.raises(AssertionError):
            rule_for(alert)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_what_becomes_a_variable_has_been_checked(rule: dict[str, Any]) -> None:
    # Ansible would evaluate braces in it.
    action = rule["action"]["run_playbook"]
    used = set(re.findall(r"event\.((?:labels\.)?\w+)", json.dumps(action["extra_vars"])))
    checked = set(re.findall(r"event\.([\w.]+) (?:is match|in \[)", rule["condition"]))
    assert used and used <= checked, used - checked
    assert 'event.status == "firing"' in rule["condition"]
    for pattern in re.findall(r'is match\("([^"]+)"\)', rule["condition"]):
        assert pattern.startswith("^") and pattern.endswith("$") and not re.search(pattern, "a{{ b }}"), pattern


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_the_playbook_is_one_of_the_collection(rule: dict[str, Any]) -> None:
    collection, __, name = rule["action"]["run_playbook"]["name"].rpartition(".")
    assert collection == "corpv3.service_mesh"
    assert (ROOT / f"playbooks/{name}.yml").is_file()


def test_its_token_is_in_the_environment_alone() -> None:
    source = yaml.safe_load(RULEBOOK.read_text())[0]["sources"][0]["eda.builtin.webhook"]
    assert source["token"] == "{{ SERVICE_MESH_ALERTS_TOKEN }}"
