"""The documented Roles of a canary's operator and RBAC: they are enough, and one right less is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.envoy import Clients, proxy_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.rights import canary_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import READER

from ..support.accounts import Accounts, accounts, documented, line, lines, reported, without
from ..support.canary_lab import NAMESPACE, Lab, success
from ..support.playbooks import RunPlaybook

__all__ = ["accounts"]

SERVICE, ISTIO = "menu-service", "istio-system"
OWN = documented("canary-operator.yml")
BY_ADDRESS, BY_PORT_FORWARD = documented("istiod-by-pod-address.yml"), documented("istiod-by-port-forward.yml")
PROXIES = documented("canary-proxies.yml")
CLIENTS = [Clients(NAMESPACE), Clients(ISTIO, "istio")]


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    menu = Lab(whole_lab.kubeconfig, whole_lab.folder, SERVICE)
    menu.settle()
    yield menu
    menu.settle()


def test_the_documented_roles_are_enough_for_a_whole_run(lab: Lab, accounts: Accounts) -> None:
    stable, canary = lab.stable, lab.canary
    kubeconfig = accounts.add("canary-operator", [*OWN, *PROXIES, *BY_ADDRESS])
    with lab.load("/api/v1/menu", rate=30):
        call = lab.call(image_tag=lab.tag(), steps=[50], metrics=[success()], kubeconfig=kubeconfig, arguments=("-v",))
        assert call.wait() == 0, call.tail
    assert "proxies have the routes after" in call.text, "the part in istiod's namespace is enough for a report"
    assert "instead of proof" not in call.text
    assert lab.now().weights == {stable: 0, canary: 100}
    undo = lab.call("undone", kubeconfig=kubeconfig)
    assert undo.wait() == 0, undo.tail
    assert lab.now().weights == {stable: 100, canary: 0}


def test_one_right_less_is_named_before_anything_is_touched(
    lab: Lab, accounts: Accounts, run_playbook: RunPlaybook
) -> None:
    rights = [
        *((right, "run a canary. docs/canary-operator.yml") for right in canary_rights(NAMESPACE)),
        # In the application's namespace listing pods is the canary's own right, too.
        *(
            (right, "read the proxies' counters by port_forward. docs/canary-proxies.yml")
            for right in proxy_rights(CLIENTS, "port_forward")
            if (right.verb, right.namespace) != ("list", NAMESPACE)
        ),
    ]
    poorer = {
        f"lacks-{number}": accounts.add(
            f"lacks-{number}", [*without(OWN, right), *without(PROXIES, right), *without(BY_ADDRESS, right)]
        )
        for number, (right, __) in enumerate(rights)
    }
    before = lab.workloads(), lab.now().weights
    options = {**lab.defaults, "provider": {"type": "envoy"}, "image_tag": "9.9.9"}
    said = reported(run_playbook, "canary", options, list(poorer.values()))
    for (right, purpose), account, text in zip(rights, poorer, said, strict=True):
        assert f"{account} may not {purpose} grants what it lacks:" in text
        assert set(lines(text)) == {line(right)}, text
        assert "Nothing was changed." in text
    assert (lab.workloads(), lab.now().weights) == before


@pytest.mark.parametrize(("access", "roles"), [("pod_address", BY_ADDRESS), ("port_forward", BY_PORT_FORWARD)])
def test_without_access_to_istiod_a_canary_continues_and_names_what_it_lacks(
    lab: Lab, accounts: Accounts, run_playbook: RunPlaybook, access: str, roles: list[dict[str, object]]
) -> None:
    rights = Way(ISTIO, access, READER).rights
    short = access.replace("_", "-")
    poorer = [accounts.add(f"{short}-{number}", [*OWN, *without(roles, right)]) for number, right in enumerate(rights)]
    whole = accounts.add(short, [*OWN, *roles])
    # With Prometheus the canary needs nothing of istiod's namespace for itself.
    options = {**lab.defaults, "provider": {"url": lab.prometheus}, "image_tag": "9.9.9", "istiod_access": access}
    *said, nothing = reported(run_playbook, "canary", options, [*poorer, whole], check_mode=True)
    for right, text in zip(rights, said, strict=True):
        assert "a wait of 5s replaces proof that the proxies have a change" in text
        assert f"docs/istiod-by-{short}.yml grants what it lacks" in text
        assert lines(text) == [line(right)]
    assert "instead of proof" not in nothing


def test_a_refused_abort_names_what_is_missing(lab: Lab, accounts: Accounts, run_playbook: RunPlaybook) -> None:
    powerless = accounts.add("may-nothing", [])
    options = {"namespace": NAMESPACE, "service": SERVICE, "state": "aborted"}
    (said,) = reported(run_playbook, "canary", options, [powerless])
    assert "is forbidden" in said
    assert "may-nothing may not run a canary. docs/canary-operator.yml grants what it lacks" in said
