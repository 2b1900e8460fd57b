"""Whatever becomes of istiod or of a proxy: no side that may still get requests loses its pods, and no request fails.

tests/unit/plugins/module_utils/_canary/test_istiod_away.py has the same on a cluster in memory.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.canary_lab import Call, Lab
from ..integration.support.canary_load import Load
from ..integration.support.canary_records import failed, read
from ..integration.support.runbook_pages import Shell, blocks
from .conftest import Report
from .istiod_faults import FAULTS, istiods, scaled

# The canary has all of its pods from the first step on: while istiod is away, no pod gets a sidecar.
RUN: dict[str, Any] = {
    "steps": [25, 50],
    "step_duration": "1s",
    "min_ready": 2,
    "drain": "6s",
    "wait_timeout": "12s",
    "lease_duration": 30,
}
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


@pytest.fixture(autouse=True)
def two_istiods(lab: Lab) -> Iterator[None]:
    if len(istiods(lab)) == 2:
        yield
        return
    with scaled(lab, 2):
        yield


def at_gate(lab: Lab, place: str) -> Call:
    """A run that waits there, with its weights acknowledged."""
    call = lab.call(image_tag=lab.tag(), arguments=("-v",), gates=[{"at": place, "type": "hold"}], **RUN)
    phase = "WaitingPromotion" if place == "promotion" else "Waiting"
    lab.until(phase, lambda: lab.now().state.get("phase") == phase or not call.running)
    assert call.running, call.tail
    return call


def opened(lab: Lab, place: str) -> Call:
    return lab.call("resumed", gates=[{"at": place, "type": "hold"}], **RUN)


def names(text: str, who: str) -> bool:
    return bool(re.search(who, " ".join(text.split())))


def both_have_their_pods(lab: Lab) -> bool:
    return all(len(lab.pods(version)) == 2 for version in ("v1", "v2"))


def no_request_failed(load: Load) -> None:
    load.stop()
    assert not failed(read(load.output))


def taken_to_its_end(lab: Lab, canary: str) -> None:
    # As a schedule does it: proxies come back to istiod one by one, and one call does not wait for them for ever.
    for __ in range(5):
        assert lab.call("reconciled", **RUN).wait() == 0
        if lab.now().state["phase"] == "Failed":
            break
    assert lab.now().state["phase"] == "Failed"
    lab.until("the canary's pods are gone", lambda: not lab.pods(canary))


@each_fault
def test_at_a_step_it_rolls_back_and_keeps_the_pods(lab: Lab, fault: Any) -> None:
    canary = lab.canary
    with lab.load() as load:
        call = at_gate(lab, "increase")
        with fault(lab):
            opened(lab, "increase")
            assert call.wait() != 0
            assert lab.now().weights[canary] == 0
            assert lab.now().state["phase"] == "RollingBack", call.tail
            assert names(call.text, f"not every proxy has the routes of weight 50 %.*({FAULTS[fault]})"), call.tail
            assert "keeps its pods until then" in call.text
            assert both_have_their_pods(lab)
        taken_to_its_end(lab, canary)
        no_request_failed(load)


@each_fault
def test_during_a_rollback_the_canary_keeps_its_pods(lab: Lab, report: Report, fault: Any) -> None:
    canary = lab.canary
    with lab.load() as load:
        call = at_gate(lab, "increase")
        with fault(lab):
            abort = lab.call("aborted", **RUN)
            lab.until("weight 0", lambda: lab.now().weights[canary] == 0)
            call.wait()
            assert abort.wait() == 0, abort.tail
            assert names(call.text, FAULTS[fault]), call.tail
            assert "keeps its pods until then" in call.text
            assert both_have_their_pods(lab)
            assert lab.now().state["phase"] == "RollingBack"
        report(f"weight 0 {abort.result['rollback']['seconds']:.2f} s after the abort began")
        taken_to_its_end(lab, canary)
        no_request_failed(load)


@each_fault
def test_while_it_promotes_both_sides_keep_their_pods(lab: Lab, fault: Any) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load:
        call = at_gate(lab, "promotion")
        with fault(lab):
            opened(lab, "promotion")
            lab.until("100 %", lambda: lab.now().weights[canary] == 100)
            lab.until("who is waited for", lambda: names(call.text, f"waiting for proxies: .*({FAULTS[fault]})"))
            # Longer than its drain and its wait for proxies together.
            time.sleep(20)
            assert lab.now().state["phase"] == "Promoting", call.tail
            assert both_have_their_pods(lab)
        assert call.wait() == 0, call.tail
        lab.until("the old version's pods are gone", lambda: not lab.pods(stable))
        no_request_failed(load)


@each_fault
def test_once_every_proxy_has_it_the_promotion_ends(lab: Lab, fault: Any) -> None:
    """No proxy needs anything any more."""
    canary = lab.canary
    with lab.load() as load:
        call = at_gate(lab, "promotion")
        opened(lab, "promotion")
        lab.until("the drain", lambda: "waiting for drain of the old version" in call.text)
        with fault(lab):
            assert call.wait() == 0, call.tail
            assert lab.now().weights[canary] == 100
            assert lab.now().state["phase"] == "Succeeded"
            time.sleep(2)
        no_request_failed(load)


def test_an_unavailable_istio_webhook_is_reported_at_once_with_the_remedy(lab: Lab, report: Report) -> None:
    canary = lab.canary
    with lab.load() as load:
        call = at_gate(lab, "increase")
        with scaled(lab, 0):
            begin = time.time()
            abort = lab.call("aborted", **RUN)
            lab.until("what helps", lambda: "routes are read-only while istiod" in abort.text)
            report(f"said {time.time() - begin:.2f} s after ansible-playbook was started")
            assert lab.now().weights[canary] == 25
            assert both_have_their_pods(lab)
        lab.until("weight 0", lambda: lab.now().weights[canary] == 0)
        assert abort.wait() == 0, abort.tail
        call.wait()
        no_request_failed(load)


def test_the_last_resort_is_the_runbooks(lab: Lab, report: Report, tmp_path: Path) -> None:
    """Its webhook no longer bars the weights; what the proxies have is another matter. istiod fixes the webhook."""
    canary, shell = lab.canary, Shell(lab.kubeconfig, tmp_path)
    resort = next(block.text for block in blocks("istio_webhook_unreachable") if "failurePolicy" in block.text)
    hooks = client.AdmissionregistrationV1Api(lab.api)

    def policies() -> set[str]:
        found = hooks.list_validating_webhook_configuration(label_selector="istio.io/rev").items
        return {hook.failure_policy for item in found for hook in item.webhooks}

    # Without requests the run would wait for evidence.
    with lab.load():
        call = at_gate(lab, "increase")
    assert policies() == {"Fail"}
    with scaled(lab, 0):
        abort = lab.call("aborted", **RUN)
        lab.until("what helps", lambda: "routes are read-only while istiod" in abort.text)
        begin = time.time()
        assert shell.run(resort).returncode == 0
        lab.until("weight 0", lambda: lab.now().weights[canary] == 0)
        report(f"weight 0 {time.time() - begin:.2f} s after the runbook's command was started")
        assert abort.wait() == 0, abort.tail
        call.wait()
    lab.until("istiod's own policy", lambda: policies() == {"Fail"})
    taken_to_its_end(lab, canary)
