# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One HTTP GET, over TLS or not."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# In the access logs of what is asked, whichever module asks.
USER_AGENT = "corpv3.service_mesh"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def http_get(
    url: str, headers: Mapping[str, str], timeout: float, verify_tls: bool = True, limit: int | None = None
) -> Answer:
    """One request; a redirect is an answer, too. Raises OSError or HTTPException without an answer.

    ``limit``: of the body, in bytes; a longer one is an error.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": USER_AGENT, **headers})
        response = connection.getresponse()
        body = response.read(None if limit is None else limit + 1)
        if limit is not None and len(body) > limit:
            raise http.client.HTTPException(f"the answer has more than {limit} bytes")
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, body)
    finally:
        connection.close()
