# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets with certificates for the cases, so that the repository contains no key.

A case's ``secrets`` are appended to its input, and the day of the case is NOW:

secrets:
  - {namespace: istio-system, name: shop, hosts: [shop.example.com], starts: -10, ends: 80}    # days from NOW

Further fields: ``issuer_ends`` adds the issuer's certificate to the chain, with that end; ``order: unrelated`` adds
one that issued nothing; ``key: other`` is another certificate's key; ``ca_ends`` adds a ca.crt with that end;
``data`` replaces all of it.
"""

from __future__ import annotations

import base64
import datetime
import functools
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000

Key = ec.EllipticCurvePrivateKey


@functools.cache
def key(name: str) -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(owner: str) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key(owner).private_bytes(encoding, form, serialization.NoEncryption())


@functools.cache
def certificate_pem(subject: str, issuer: str, hosts: tuple[str, ...], starts: int, ends: int) -> bytes:
    """starts and ends: days from NOW."""
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key(subject).public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(days=starts))
        .not_valid_after(now + datetime.timedelta(days=ends))
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key(issuer), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def secret(spec: dict[str, Any]) -> dict[str, Any]:
    subject = spec["name"]
    leaf = certificate_pem(
        subject, "issuer", tuple(spec.get("hosts", ())), spec.get("starts", -10), spec.get("ends", 80)
    )
    chain = [leaf]
    if "issuer_ends" in spec:
        chain.append(certificate_pem("issuer", "root", (), -100, spec["issuer_ends"]))
    if spec.get("order") == "unrelated":
        chain.append(certificate_pem("stranger", "root", (), -100, 100))
    data = {"tls.crt": b"".join(chain), "tls.key": key_pem("other" if spec.get("key") == "other" else subject)}
    if "ca_ends" in spec:
        data["ca.crt"] = certificate_pem("clients", "clients", (), -100, spec["ca_ends"])
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": spec["name"], "namespace": spec["namespace"]},
        "type": "kubernetes.io/tls",
        "data": spec.get("data", encoded),
    }


def with_secrets(case: dict[str, Any]) -> dict[str, Any]:
    """The case with its Secrets written out."""
    if "secrets" not in case:
        return case
    documents = [case["input"], *(yaml.safe_dump(secret(spec), sort_keys=False) for spec in case["secrets"])]
    text = "\n---\n".join(document.rstrip("\n") for document in documents)
    return {**case, "input": text, "settings": {"now": NOW, **case.get("settings", {})}}
