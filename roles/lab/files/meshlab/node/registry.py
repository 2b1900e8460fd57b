"""The registry of the lab's images, for containerd: OCI's distribution protocol, as far as a pull needs it.

It answers for every registry that an image's name may have (``ns``). Nothing else can be pulled.
"""

from __future__ import annotations

import json
import re
import shutil
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ..settings import Settings
from .archive import MANIFEST

INDEX = "index.json"
PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)")
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
# So that a pull can fail as it does elsewhere, although every tag of the application exists.
MISSING = "missing"


def digest_of(index: dict[str, str], registry: str, name: str, reference: str) -> str | None:
    """Digest of the manifest of a tag (or of the digest itself); None if there is none."""
    if match := DIGEST.fullmatch(reference):
        return match.group(1)
    image = f"{registry}/{name}"
    return index.get(f"{image}:{reference}") or (None if reference.startswith(MISSING) else index.get(image))


def run(settings: Settings) -> None:
    """For ever."""
    folder = settings.registry

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            address = urlsplit(self.path)
            if address.path == "/v2/":
                self._head(HTTPStatus.OK, 0, {})
                return
            (registry,) = parse_qs(address.query).get("ns", ["docker.io"])
            found = blob(folder, address.path, registry)
            if found is None:
                self._head(HTTPStatus.NOT_FOUND, 0, {})
                return
            path, kind = found
            headers = {"Content-Type": kind, "Docker-Content-Digest": f"sha256:{path.name}"}
            self._head(HTTPStatus.OK, path.stat().st_size, headers)
            if with_body:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, self.wfile)

        def _head(self, status: HTTPStatus, size: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(size)}.items():
                self.send_header(name, value)
            self.end_headers()

    ThreadingHTTPServer((settings.bridge_ip, settings.port("registry")), Handler).serve_forever()


def blob(folder: Path, path: str, registry: str) -> tuple[Path, str] | None:
    """The file and the content type of a request; None if there is none."""
    match = PATH.fullmatch(path)
    if not match:
        return None
    manifests = match["kind"] == "manifests"
    index = json.loads((folder / INDEX).read_text(encoding="utf-8")) if manifests else {}
    digest = digest_of(index, registry, match["name"], match["reference"])
    if digest is None or not (folder / digest).is_file():
        return None
    return folder / digest, MANIFEST if manifests else "application/octet-stream"
