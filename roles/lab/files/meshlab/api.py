"""The few calls that the lab makes to its own API server: dicts in, dicts out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests

from .components import server
from .settings import Settings

Object = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server's answer was an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """The lab's API server, as its administrator."""

    def __init__(self, settings: Settings) -> None:
        self._server = server(settings)
        self._pki = settings.state_dir / "pki"
        self._local = threading.local()

    def _session(self) -> requests.Session:
        # One session a thread: requests' sessions are not made for sharing.
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.verify = str(self._pki / "ca.crt")
            session.cert = (str(self._pki / "client-admin.crt"), str(self._pki / "client-admin.key"))
            session.trust_env = False
            self._local.session = session
        session_of_thread: requests.Session = self._local.session
        return session_of_thread

    def request(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        """One call. Raises ApiError for an answer of 400 and above."""
        data = None if body is None else json.dumps(body)
        answer = self._session().request(
            method, self._server + path, data=data, headers={"Content-Type": content_type}, timeout=30
        )
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, answer.text[:500])
        result: Object = answer.json()
        return result

    def get(self, path: str) -> Object | None:
        """The object, or None where there is none."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create_if_missing(self, path: str, body: Object) -> None:
        """POST, content with 'already exists'."""
        try:
            self.request("POST", path, body)
        except ApiError as error:
            if error.status != 409:
                raise

    def apply(self, path: str, body: Object) -> None:
        """Make the object as ``body`` has it, whether it is there or not. ``path``: of its collection."""
        place = f"{path}/{body['metadata']['name']}?fieldManager=meshlab&force=true"
        self.request("PATCH", place, body, APPLY_PATCH)

    def watch(self, path: str) -> Iterator[tuple[str, Object]]:
        """("LIST", list) first and after every interruption, then (type, object) for each change, for ever."""
        while True:
            try:
                listed = self.request("GET", path)
                yield "LIST", listed
                yield from self._watch_from(path, listed["metadata"]["resourceVersion"])
            except (requests.RequestException, ApiError, ValueError):
                time.sleep(0.5)

    def _watch_from(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        separator = "&" if "?" in path else "?"
        url = f"{self._server}{path}{separator}watch=1&resourceVersion={version}&timeoutSeconds=600"
        with self._session().get(url, stream=True, timeout=(10, 660)) as answer:
            if answer.status_code >= 400:
                raise ApiError(answer.status_code, answer.text[:500])
            # None: each event as soon as it arrives, not when a chunk is full.
            for line in answer.iter_lines(chunk_size=None):
                if not line:
                    continue
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
