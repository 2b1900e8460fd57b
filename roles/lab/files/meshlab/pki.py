"""The lab cluster's certificates and kubeconfigs: one CA, a serving certificate, a client certificate per component."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = datetime.timedelta(days=3650)
API_NAMES = tuple(f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", ".default.svc.cluster.local"))
# As whom the API server calls the servers of aggregated APIs, such as metrics-server.
FRONT_PROXY = "front-proxy-client"


class Pki:
    """Certificates under one folder, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def ensure(self, addresses: list[str], node_address: str) -> None:
        """Make what is missing: CA, the API server's three certificates, the nodes' one, the service account key."""
        if not self.path("ca.crt").exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meshlab")])
            builder = _builder(name, name, key.public_key())
            builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
            builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
            self._write("ca", builder.sign(key, hashes.SHA256()), key)
        if not self.path("api.crt").exists():
            self._issue("api", "kube-apiserver", None, [*addresses, "localhost", *API_NAMES])
        for client in ("kube-apiserver", FRONT_PROXY):
            if not self.path(f"client-{client}.crt").exists():
                self._issue(f"client-{client}", client, None, [])
        if not self.path("node.crt").exists():
            self._issue("node", "meshlab-node", None, [node_address])
        if not self.path("sa.key").exists():
            sa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            _write_private(self.path("sa.key"), _pem(sa_key))
            self.path("sa.pub").write_bytes(
                sa_key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )

    def server_certificate(self, stem: str, common_name: str, names: list[str]) -> None:
        """Make a serving certificate for addresses and DNS names, once."""
        if not self.path(f"{stem}.crt").exists():
            self._issue(stem, common_name, None, names)

    def kubeconfig(self, path: Path, server: str, user: str, group: str | None, context: str) -> None:
        """Write a kubeconfig with a client certificate of its own."""
        stem = f"client-{user.replace(':', '-')}"
        if not self.path(f"{stem}.crt").exists():
            self._issue(stem, user, group, [])
        credentials = {
            "client-certificate-data": _b64(self.path(f"{stem}.crt")),
            "client-key-data": _b64(self.path(f"{stem}.key")),
        }
        self.write_kubeconfig(path, server, credentials, context)

    def write_kubeconfig(self, path: Path, server: str, credentials: dict[str, str], context: str) -> None:
        """Write a kubeconfig with the given credentials."""
        cluster = {"server": server, "certificate-authority-data": _b64(self.path("ca.crt"))}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": credentials}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }
        _write_private(path, yaml.safe_dump(config).encode())

    def _issue(self, stem: str, common_name: str, organization: str | None, names: list[str]) -> None:
        ca = x509.load_pem_x509_certificate(self.path("ca.crt").read_bytes())
        ca_key = serialization.load_pem_private_key(self.path("ca.key").read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise RuntimeError(f"{self.path('ca.key')} is not the lab's key; 'make down' and 'make up' make a new one")
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organization:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = _builder(x509.Name(attributes), ca.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        # Python 3.13 takes no certificate that does not say whose key signed it.
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        self._write(stem, builder.sign(ca_key, hashes.SHA256()), key)

    def _write(self, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        _write_private(self.path(f"{stem}.key"), _pem(key))
        self.path(f"{stem}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    # Five minutes of slack: a clock that was set back after a reboot must not refuse its own certificates.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


def _b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
