# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The gates of a run: which gate is closed, how a run waits there, and what opens it."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Decision,
    Observation,
    Policy,
    Return,
    Wait,
    Write,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import rolled_back
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import INCREASE, RETURN, URL, Gate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import approved
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase


def gate_name(state: State, place: str) -> str:
    return f"{place} {state.step + 2}" if place == INCREASE else place


def closed_gate(state: State, policy: Policy, place: str) -> Gate | None:
    """The gate there that must still open."""
    if gate_name(state, place) in state.passed_gates:
        return None
    return next((gate for gate in policy.gates if gate.at == place), None)


def wait_at(seen: Observation, policy: Policy, gate: Gate, phase: Phase) -> Decision:
    name = gate_name(seen.state, gate.at)
    text = f"gate {name} waits for {gate.url or 'approval'}"
    waiting = held(seen, policy.actor, phase, text)
    return Write(replace(waiting, gate=name))


def at_gate(seen: Observation, policy: Policy) -> Decision:
    state = seen.state
    gate = next((entry for entry in policy.gates if state.gate.partition(" ")[0] == entry.at), None)
    if gate is None:
        # This call has other gates than the call that reached this one.
        return Return()
    since = seen.now - state.changed_at
    if gate.type == URL and gate.url in seen.open_urls:
        return Write(approved(state, seen.now, policy.actor, f"{gate.url} answered 200"))
    if gate.timeout and since > gate.timeout:
        return Write(rolled_back(seen, policy.actor, f"gate {state.gate} did not open within {gate.timeout:.0f} s"))
    if gate.type == RETURN:
        return Return()
    what = "answer 200 from " + gate.url if gate.type == URL else "approval"
    return Wait(f"{what} (gate {state.gate})", gate.timeout - since if gate.timeout else None)


def held(seen: Observation, actor: str, phase: Phase, reason: str) -> State:
    state = seen.state
    return state.moved(seen.now, actor, reason, phase=phase, resume_phase=state.phase)
