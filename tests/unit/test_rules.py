"""Prometheus' rules: promtool's verdict on them, that each alert is tested both ways, and that it can be acted upon."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus import failures

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "roles/prometheus/files/rules").glob("*.yml"))
TESTS = sorted((ROOT / "tests/rules").glob("*.yml"))
RUNBOOKS = ROOT / "docs/runbooks"
RUNBOOK_URL = "https://github.com/corpv3/service_mesh/blob/main/docs/runbooks/"

CHAPTERS = ["When", "What you see", "Do", "It worked when", "Roll back"]

# The design document's alerts: severity, how long, and the threshold that the expression ends with.
OF_THE_DOCUMENT = {
    "HighErrorRate": ("critical", "5m", "> 0.05"),
    "HighLatency": ("warning", "5m", "> 1000"),
    "PodDown": ("critical", "5m", "> 0"),
    "HighCPUUsage": ("warning", "10m", "> 0.8"),
    "HighMemoryUsage": ("warning", "10m", "> 0.8"),
}


@functools.cache
def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


@functools.cache
def rule_tests() -> list[dict[str, Any]]:
    return [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDS = [rule["record"] for rule in rules() if "record" in rule]


def snake_case(name: str) -> str:
    """HighCPUUsage: high_cpu_usage."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.fixture(scope="session")
def promtool() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"
    found = shutil.which("promtool") or next(map(str, sorted(cache.glob("prometheus-*[0-9a-f]/promtool"))), None)
    if not found:
        pytest.skip(f"no promtool on PATH and none in {cache}; the lab builds it: make up")
    return found


def check(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_promtool_accepts_the_rules(promtool: str) -> None:
    check(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))


@pytest.mark.parametrize("folder", ["roles/prometheus/files/rules", "roles/grafana/files/dashboards", "docs/runbooks"])
def test_failures_of_grpc_are_the_same_everywhere(folder: str) -> None:
    texts = [path.read_text() for path in (ROOT / folder).iterdir() if path.is_file()]
    found = {match for text in texts for match in re.findall(r'grpc_response_status=~\\?"([^"\\]+)', text)}
    assert found == {failures.GRPC}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_tests(promtool: str, path: Path) -> None:
    check(promtool, "test", "rules", str(path))


def test_every_file_of_rules_has_its_tests() -> None:
    assert [path.name for path in RULES] == [path.name for path in TESTS]


@pytest.mark.parametrize("alert", ALERTS)
def test_the_alert_is_shown_to_fire_and_not_to_fire(alert: str) -> None:
    cases = [case for test in rule_tests() for case in test.get("alert_rule_test", []) if case["alertname"] == alert]
    assert any(case["exp_alerts"] for case in cases), f"no test lets {alert} fire"
    assert any(not case["exp_alerts"] for case in cases), f"no test holds {alert} back"


@pytest.mark.parametrize("record", RECORDS)
def test_the_recorded_series_is_tested(record: str) -> None:
    asked = " ".join(case["expr"] for test in rule_tests() for case in test.get("promql_expr_test", []))
    assert re.search(rf"{re.escape(record)}(?![\w:])", asked), f"no test looks at {record}"


def test_no_name_is_given_twice() -> None:
    names = [*(rule["alert"] for rule in rules() if "alert" in rule), *RECORDS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("alert", ALERTS)
def test_the_alert_names_the_problem_and_the_remedy(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    annotations = rule["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == f"{RUNBOOK_URL}{snake_case(alert)}.md"
    assert (RUNBOOKS / f"{snake_case(alert)}.md").is_file()


@pytest.mark.parametrize("alert", OF_THE_DOCUMENT)
def test_the_documents_alerts_keep_its_figures(alert: str) -> None:
    rule, (severity, duration, threshold) = ALERTS[alert], OF_THE_DOCUMENT[alert]
    assert (rule["labels"]["severity"], rule["for"]) == (severity, duration)
    assert rule["expr"].strip().endswith(threshold)


def test_only_the_golden_signals_read_the_meshs_counters_of_services() -> None:
    # So that no rule lacks the reporter. The gateway's own traffic is the one exception.
    for path in RULES:
        for found in re.finditer(
            r"istio_request(?:s_total|_duration_milliseconds_bucket)\{([^}]*)\}", path.read_text()
        ):
            assert 'reporter="source"' in found[1], f"{path.name}: {found[0]}"


def test_no_canary_is_called_stuck_before_its_deadline() -> None:
    longest = 0.0
    defaults = [ROOT / "roles/canary/defaults/main.yml", *(ROOT / "inventories").rglob("group_vars/**/*.yml")]
    for path in defaults:
        if deadline := (yaml.safe_load(path.read_text()) or {}).get("canary_deadline"):
            longest = max(longest, hours(deadline))
    assert hours(ALERTS["CanaryStuck"]["for"]) > longest > 0


def hours(duration: str) -> float:
    """4h30m: 4.5."""
    units = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def runbooks() -> list[Path]:
    return sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("path", runbooks(), ids=lambda path: path.stem)
def test_the_runbook_belongs_to_an_alert_or_an_operation(path: Path) -> None:
    listed = (RUNBOOKS / "README.md").read_text().partition("| operation |")
    alert = next((name for name in ALERTS if snake_case(name) == path.stem), None)
    assert f"]({path.name})" in listed[0 if alert else 2], "docs/runbooks/README.md does not list it"
    if alert:
        text = path.read_text()
        assert text.startswith(f"# {alert}\n")
        assert re.findall("^## (.+)$", text, re.MULTILINE) == CHAPTERS


@pytest.mark.parametrize("path", [*runbooks(), RUNBOOKS / "README.md"], ids=lambda path: path.stem)
def test_links_of_the_runbook_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target
