# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from certificates and keys, and what is reported where they cannot be read."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.certificates import read_chain, unreadable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ....support import validate_harness as harness

made = harness.certificates

LEAF = made.certificate_pem("shop", "issuer", ("shop.example.com", "*.shop.example.com"), -10, 80)
ISSUER = made.certificate_pem("issuer", "root", (), -100, 300)
ENCODING = {"encoding": serialization.Encoding.PEM, "format": serialization.PrivateFormat.PKCS8}


def test_a_chain_with_its_key() -> None:
    chain = read_chain(b"comment\n" + LEAF + ISSUER, made.key_pem("shop"))
    assert (chain.fault, chain.key_fault, chain.broken_at) == ("", "", None)
    leaf, issuer = chain.certificates
    assert (leaf.subject, leaf.issuer, issuer.issuer) == ("CN=shop", "CN=issuer", "CN=root")
    assert leaf.names == ("shop.example.com", "*.shop.example.com")
    assert (leaf.starts, leaf.ends) == (made.NOW - 10 * 86400, made.NOW + 80 * 86400)


def test_a_chain_out_of_order_and_one_without_names() -> None:
    assert read_chain(ISSUER + LEAF).broken_at == 0
    assert read_chain(ISSUER).certificates[0].names == ()


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (made.key_pem("other"), "belongs to another certificate"),
        (b"garbage", "is not a valid PEM private key"),
        (
            rsa.generate_private_key(65537, 2048).private_bytes(
                **ENCODING, encryption_algorithm=serialization.NoEncryption()
            ),
            "belongs to another certificate",
        ),
        (
            made.key("shop").private_bytes(
                **ENCODING, encryption_algorithm=serialization.BestAvailableEncryption(b"secret")
            ),
            "is encrypted",
        ),
    ],
    ids=["another one's", "garbage", "of another kind", "encrypted"],
)
def test_keys_that_do_not_serve(key: bytes, fault: str) -> None:
    assert read_chain(LEAF, key).key_fault == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "holds no PEM certificate"),
        (made.key_pem("shop"), "holds no PEM certificate"),
        (
            LEAF + LEAF.replace(b"MII", b"AAA", 1),
            "has an invalid certificate: PEM block 2 of 2",
        ),
    ],
    ids=["nothing", "a key", "a broken block"],
)
def test_certificates_that_cannot_be_read(text: bytes, fault: str) -> None:
    assert read_chain(text).fault == fault


@given(st.binary(), st.binary(), st.integers(0, len(LEAF) - 1))
def test_no_bytes_raise(noise: bytes, key: bytes, place: int) -> None:
    read_chain(noise, key)
    read_chain(LEAF[:place] + noise + LEAF[place:], key)


def test_without_the_library_nothing_is_silently_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unreadable() == ""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert unreadable() == "the Python library cryptography"
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
    case = made.with_secrets({"input": config_map, "secrets": [{"name": "shop", "namespace": "shop"}]})
    outcome = harness.run(case["input"], harness.settings_of(case["settings"]))
    wanting = {check.rule.name for check in catalog.all_checks() if check.requires is unreadable}
    assert "certificate_runs_out" in wanting
    assert {name for name, lacking in outcome.undecided.items() if unreadable() in lacking} == wanting
