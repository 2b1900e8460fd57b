"""Charts over HTTPS on loopback, as a classic repository and as an OCI registry, for helm itself to pull.

    with ChartServer(tmp_path) as server:
        server.add(tmp_path / "kiali-server-2.29.0.tgz")
        variables = {"kiali_chart_repository": f"oci://{server.address}/kiali"}
        run_playbook("site.yml", variables=variables, environment=server.trust)

Every folder has every chart. ``asked`` holds the paths that were asked for.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import ssl
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


class ChartServer:
    """The server, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self._charts: dict[tuple[str, str], tuple[dict[str, Any], bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        self._certificate = folder / "chart-server.pem"
        key = folder / "chart-server.key"
        _write_pair(self._certificate, key)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        # Go's own variable for trusted certificates.
        self.trust = {"SSL_CERT_FILE": str(self._certificate)}

    def __enter__(self) -> ChartServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *__: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, archive: Path) -> None:
        """A chart as ``helm package`` makes it."""
        content = archive.read_bytes()
        with tarfile.open(archive) as packed:
            (name,) = [item for item in packed.getnames() if item.count("/") == 1 and item.endswith("/Chart.yaml")]
            file = packed.extractfile(name)
            assert file is not None
            about = yaml.safe_load(file.read())
        self._charts[about["name"], about["version"]] = (about, content)

    def version_of(self, chart: str) -> str:
        """Of the one version that there is."""
        (version,) = [version for name, version in self._charts if name == chart]
        return version

    def answer(self, path: str) -> tuple[str, bytes]:
        """(content type, content); KeyError where there is none."""
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if path == "/v2/":
            return "application/json", b"{}"
        if path.startswith("/v2/") and parts[-2] == "manifests":
            return _MANIFEST, self._manifest(parts[-3], parts[-1])
        if path.startswith("/v2/") and parts[-2] == "blobs":
            return "application/octet-stream", self._blobs[parts[-1]]
        if parts[-1] == "index.yaml":
            return "text/yaml", yaml.safe_dump(self._index()).encode()
        name, __, version = parts[-1].removesuffix(".tgz").rpartition("-")
        return "application/gzip", self._charts[name, version][1]

    def _index(self) -> dict[str, Any]:
        entries: dict[str, list[dict[str, Any]]] = {}
        for (name, version), (about, content) in self._charts.items():
            digest = hashlib.sha256(content).hexdigest()
            entries.setdefault(name, []).append({**about, "urls": [f"{name}-{version}.tgz"], "digest": digest})
        return {"apiVersion": "v1", "entries": entries}

    def _manifest(self, name: str, reference: str) -> bytes:
        """By its tag or by its digest."""
        if reference in self._blobs:
            return self._blobs[reference]
        about, content = self._charts[name, reference]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(_CONFIG, json.dumps(about).encode()),
            "layers": [self._blob(_CHART, content)],
        }
        packed = json.dumps(manifest).encode()
        self._blob(_MANIFEST, packed)
        return packed

    def _blob(self, kind: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._blobs[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    kind, content = answer(self.path)
                except KeyError:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *__: Any) -> None:
                pass

        return Handler


def _write_pair(certificate: Path, key_file: Path) -> None:
    """A certificate of its own for 127.0.0.1, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chart server")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate.write_bytes(made.public_bytes(encoding))
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
