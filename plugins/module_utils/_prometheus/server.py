# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""HTTP to a server of metrics: authentication, TLS, and an end even where the server dawdles."""

from __future__ import annotations

import base64
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import USER_AGENT
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure

# Raw samples of a large mesh are some megabytes.
_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Server:
    """Where and as whom. Nothing of it but the host is ever part of a message."""

    url: str
    path_prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    # Read again for each query, since such a token is replaced while a run lasts.
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_cert: str = ""
    validate_certs: bool = True
    timeout: float = 5

    def problem(self) -> str:
        """What is wrong with the options, if anything is."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            return "provider: url is not a valid URL."
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            return "provider: url must begin with http:// or https:// and name a host."
        if parts.username or parts.password:
            return "provider: url holds credentials; give them as username and password."
        if sum(map(bool, (self.token, self.token_file, self.username))) > 1:
            return "provider: give either token or token_file, or username and password."
        if any("\n" in text or "\r" in text for pair in self.headers.items() for text in (*pair, self.token)):
            return "provider: headers and token must each be a single line."
        return ""

    def fetch(self, path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        """One GET. ``timeout`` is for the whole of it."""
        parts = urlsplit(self.url)
        where = parts.netloc
        target = "/".join(part.strip("/") for part in (parts.path, self.path_prefix, path) if part.strip("/"))
        deadline = time.monotonic() + self.timeout
        headers = self._headers()
        try:
            connection = self._connection()
            try:
                connection.request("GET", f"/{target}?{urlencode(parameters)}", headers=headers)
                response = connection.getresponse()
                body = bytearray()
                while chunk := response.read1(1 << 20):
                    body += chunk
                    if time.monotonic() > deadline:
                        raise TimeoutError
                    if len(body) > _LIMIT:
                        raise SourceFailure(f"{where} answers with more than {_LIMIT >> 20} MiB")
            finally:
                connection.close()
        except TimeoutError as error:
            raise SourceFailure(f"{where} has not answered within {self.timeout:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceFailure(f"{where} does not answer: {error or type(error).__name__}") from error
        if 300 <= response.status < 400:
            # Not followed: the credentials are for this server.
            raise SourceFailure(
                f"{where} redirects to {response.headers.get('Location', 'elsewhere')}: correct the url"
            )
        if response.status in (401, 403):
            raise SourceFailure(f"{where} answers {response.status}: correct the provider's credentials")
        return response.status, bytes(body)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout)
        context = ssl.create_default_context(cafile=self.ca_cert or None)
        if not self.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=self.timeout, context=context)

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Connection": "close"}
        headers.update(self.headers)
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        elif self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers

    def _token(self) -> str:
        if not self.token_file:
            return self.token
        try:
            with open(self.token_file, encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, ValueError) as error:
            raise SourceFailure(f"provider: token_file cannot be read: {error}") from error
