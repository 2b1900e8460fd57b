"""Every command of every runbook, as it stands, page by page, on the lab that the page is about."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integration.support.canary_lab import FINAL, QUICK, Call, Lab
from ..integration.support.runbook_pages import Shell, blocks, pages
from .conftest import Report

HELD = {**QUICK, "canary_gates": [{"at": "promotion", "type": "hold", "timeout": "10m"}]}
# A play that has ended well for one page is not played again for the next one that has it in the same words.
PLAYS = re.compile(r"(ansible-playbook playbooks/(site|smoke|validate)\.yml \$CLUSTER( --tags \S+)?\n)+")
PLAYED: set[str] = set()
UNDER_WAY = {"canary_abort", "high_error_rate"}
ABANDONED = {"canary_abandoned", "canary_stuck"}
OF_CANARIES = {"canary", *UNDER_WAY, *ABANDONED}
WITH_CERTIFICATE = {"certificate_renewal", "gateway_certificate_expiring", "gateway_certificate_missing"}
GATEWAYS = ("networking.istio.io", "v1", "istio-system", "gateways")
TLS_GATEWAY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "runbooks"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [
            {
                "port": {"number": 443, "name": "https-runbooks", "protocol": "HTTPS"},
                "hosts": ["restaurant.corpv3.com"],
                "tls": {"mode": "SIMPLE", "credentialName": "restaurant-tls"},
            }
        ],
    },
}

HANDSHAKE = (
    "openssl s_client -connect $GATEWAY_TLS -servername restaurant.corpv3.com </dev/null 2>/dev/null | openssl x509"
)


@pytest.mark.parametrize("page", pages())
def test_every_block_ends_well(page: str, lab: Lab, tmp_path: Path, report: Report) -> None:
    shell = Shell(lab.kubeconfig, tmp_path, QUICK)
    shell.set(**given(lab, tmp_path))
    begun, ran = time.monotonic(), 0
    with surroundings(page, lab, shell, tmp_path):
        for block in blocks(page):
            if block.elsewhere or block.text in PLAYED:
                continue
            if page in UNDER_WAY | ABANDONED and "playbooks/canary_" in block.text:
                a_canary(lab, alive=page in UNDER_WAY)
            done = shell.run(block.text)
            assert done.returncode == 0, f"{block.name}:\n{block.text}\n{done.stdout[-3000:]}"
            if PLAYS.fullmatch(block.text):
                PLAYED.add(block.text)
            ran += 1
    serving, __ = lab.workloads()[lab.workload(lab.stable)]
    assert serving > 0, f"{page} took the pods away that serve: {lab.workloads()}"
    report(f"{page}: {ran} blocks, {time.monotonic() - begun:.0f} s")


def given(lab: Lab, folder: Path) -> dict[str, str]:
    """What the pages leave to their reader."""
    image = lab.workloads()[lab.workload(lab.stable)][1]
    return {
        "SERVICE": lab.service,
        "POD": lab.pods(lab.stable)[0].metadata.name,
        "NODE": lab.core.list_node().items[0].metadata.name,
        "TAG": lab.tag(),
        "OLD_TAG": image.rpartition(":")[2],
        "OLD": str(folder / "old"),
        "BACKUP": "20261125T021703Z",
        "OLD_REVISION": "",
        "OLD_VERSION": "1.31.0",
        "NEW_REVISION": "next",
        "NEW_VERSION": "1.31.0",
        "HUB": "docker.io/istio",
    }


@contextlib.contextmanager
def surroundings(page: str, lab: Lab, shell: Shell, folder: Path) -> Iterator[None]:
    """Traffic for canaries, a certificate for the pages about one; gone afterwards."""
    with contextlib.ExitStack() as stack:
        if page in OF_CANARIES:
            stack.enter_context(lab.load(rate=30))
        if page in WITH_CERTIFICATE:
            stack.enter_context(a_certificate(lab, shell, folder))
        yield


def a_canary(lab: Lab, alive: bool) -> Call | None:
    """One that waits for its promotion, and whose process is there, or is not. A page may have ended the last one."""
    if lab.now().state.get("phase", "Succeeded") not in FINAL:
        return None
    call = lab.playbook("canary.yml", **HELD, canary_service=lab.service, canary_image_tag=lab.tag())
    lab.until("the canary waits", lambda: lab.now().state.get("phase") == "WaitingPromotion" or not call.running)
    assert call.running, call.tail
    if not alive:
        call.kill()
    return call


@contextlib.contextmanager
def a_certificate(lab: Lab, shell: Shell, folder: Path) -> Iterator[None]:
    """Secret restaurant-tls, a Gateway that serves it, and another certificate to take its place."""
    for name in ("old", "new"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"),
                *("-subj", "/CN=restaurant.corpv3.com", "-addext", "subjectAltName=DNS:restaurant.corpv3.com"),
                *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")),
            ],
            check=True,
            capture_output=True,
        )
    shell.set(CERT=str(folder / "new.crt"), KEY=str(folder / "new.key"))
    secret = {
        "metadata": {"name": "restaurant-tls"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": (folder / "old.crt").read_text(), "tls.key": (folder / "old.key").read_text()},
    }
    lab.core.create_namespaced_secret("istio-system", secret)
    lab.objects.create_namespaced_custom_object(*GATEWAYS, TLS_GATEWAY)
    try:
        lab.until("the gateway has the certificate", lambda: shell.run(HANDSHAKE).returncode == 0, 60)
        yield
    finally:
        lab.objects.delete_namespaced_custom_object(*GATEWAYS, "runbooks")
        lab.core.delete_namespaced_secret("restaurant-tls", "istio-system")
