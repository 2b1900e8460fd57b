# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The contents of a PEM certificate and its key, as plain data. The only file that uses ``cryptography``."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Certificate(NamedTuple):
    """subject and issuer: for messages. names: DNS names and addresses. starts, ends: seconds since the epoch."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    starts: float
    ends: float


class Chain(NamedTuple):
    """certificates: in the order of the file, the server's own first.

    fault: why it cannot be read. broken_at: the index of the first certificate whose issuer is not the next one.
    key_fault: why the key does not fit, empty if it does or there is none.
    """

    certificates: tuple[Certificate, ...] = ()
    fault: str = ""
    broken_at: int | None = None
    key_fault: str = ""


NO_CHAIN = Chain()


def unreadable() -> str:
    """What is missing on this machine, empty if certificates can be read. ansible-core brings the library."""
    try:
        from cryptography import x509
    except ImportError:
        return "the Python library cryptography"
    return "" if hasattr(x509.Certificate, "not_valid_before_utc") else "the Python library cryptography 42.0 or newer"


def read_chain(certificates: bytes, key: bytes | None = None) -> Chain:
    """Never raises: the result names every fault. None of its texts contains the key."""
    from cryptography import x509

    blocks = _BLOCK.findall(certificates)
    if not blocks:
        return Chain(fault="holds no PEM certificate")
    found: list[Any] = []
    for place, block in enumerate(blocks, 1):
        try:
            found.append(x509.load_pem_x509_certificate(block))
        except Exception:
            # The library raises more than it documents; a file of random bytes must not end the validation.
            return Chain(fault=f"has an invalid certificate: PEM block {place} of {len(blocks)}")
    broken = next((place for place in range(len(found) - 1) if found[place].issuer != found[place + 1].subject), None)
    key_fault = "" if key is None else _key_fault(found[0], key)
    return Chain(tuple(_plain(certificate) for certificate in found), "", broken, key_fault)


def _plain(certificate: Any) -> Certificate:
    return Certificate(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        _names(certificate),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def _names(certificate: Any) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
        return (*dns, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))
    except Exception:
        # No such extension, or one that cannot be read.
        return ()


def _key_fault(certificate: Any, key: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private: Any = load_pem_private_key(key, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return "is encrypted"
    except Exception:
        return "is not a valid PEM private key"
    try:
        fits = private.public_key() == certificate.public_key()
    except Exception:
        return "has a type that cannot be compared"
    return "" if fits else "belongs to another certificate"
