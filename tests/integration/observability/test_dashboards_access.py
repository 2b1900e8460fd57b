"""Access to the dashboards: what the playbook prints is there, and the gateway accepts users with a token."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from kubernetes import client

from ..support.playbooks import INVENTORY, LAB, RunPlaybook
from ..support.snapshots import Snapshot

NAMESPACE = "istio-system"
HOSTS = {"grafana": "grafana.example.com", "prometheus": "prometheus.example.com"}
ISSUER = "https://login.example.com"
WRONG: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    (
        {"dashboards_hosts": {"grafana": "https://grafana", "pagerduty": "p.example.com"}},
        (
            "dashboards_hosts has 'pagerduty', which is not one of grafana,",
            'dashboards_hosts.grafana is "https://grafana", which is not a valid full host name',
            "dashboards_tls_credential is empty",
            "dashboards_jwt and dashboards_auth_provider are empty",
        ),
    ),
    (
        {
            "dashboards_hosts": {"grafana": "same.example.com", "kiali": "same.example.com"},
            "dashboards_tls_credential": "tls",
            "dashboards_jwt": {"audiences": ["people"]},
            "dashboards_auth_provider": "oauth2-proxy",
            "dashboards_source_ranges": ["the office"],
        },
        (
            "has the same name for two dashboards",
            "are both set",
            "dashboards_jwt has no keys",
            "dashboards_jwt has no issuer",
            "dashboards_source_ranges has 'the office'",
        ),
    ),
)


class Issuer:
    """A key, its JWKS, a token signed with it, and a certificate for the hosts."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self.key.public_key().public_numbers()
        parts = {"n": number(numbers.n), "e": number(numbers.e)}
        self.jwks = json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", **parts}]})

    def token(self, issuer: str = ISSUER) -> str:
        claims = {"iss": issuer, "sub": "a-user", "exp": int(time.time()) + 3600}
        text = ".".join(packed(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1"}, claims))
        return f"{text}.{packed(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def certificate(self) -> dict[str, str]:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dashboards")])
        begin = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=90))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS.values()]), False)
            .sign(self.key, hashes.SHA256())
        )
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {"tls.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(), "tls.key": key.decode()}


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return packed(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@pytest.fixture
def issuer(api: client.ApiClient) -> Iterator[Issuer]:
    found, core = Issuer(), client.CoreV1Api(api)
    secret = {"metadata": {"name": "dashboards-tls"}, "type": "kubernetes.io/tls", "stringData": found.certificate()}
    core.create_namespaced_secret(NAMESPACE, secret)
    yield found
    core.delete_namespaced_secret("dashboards-tls", NAMESPACE)


def ask(host: str, headers: dict[str, str] | None = None, port: int = 8443) -> int:
    """The gateway's status, 0 where there is none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, timeout=20, context=context)
    try:
        plain = socket.create_connection(("127.0.0.1", port + LAB["lab_port_offset"]), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        connection.request("GET", "/", headers=headers or {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(("variables", "words"), WRONG, ids=["nothing given", "too much given"])
def test_bad_input(variables: dict[str, Any], words: tuple[str, ...], run_playbook: RunPlaybook) -> None:
    run = run_playbook("dashboards.yml", variables=variables)
    assert run.rc != 0
    assert [word for word in words if word not in run.text] == []
    # All is in the first task of the role.
    assert "Install |" not in run.stdout


def test_each_printed_port_forward_leads_to_a_port_that_is_there(
    run_playbook: RunPlaybook, api: client.ApiClient
) -> None:
    run = run_playbook("dashboards.yml")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    # kubectl port-forward itself needs a kubelet, which the lab has not.
    found = re.findall(r"-n (\S+) port-forward service/(\S+) (\d+):(\d+)$", run.stdout, re.MULTILINE)
    assert {name for _ns, name, _local, _port in found} == {
        "grafana",
        "prometheus-server",
        "prometheus-alertmanager",
        "kiali",
        "jaeger-query",
    }
    assert len({local for _ns, _name, local, _port in found}) == len(found)
    core = client.CoreV1Api(api)
    for namespace, name, _local, port in found:
        service = core.read_namespaced_service(name, namespace)
        assert int(port) in [entry.port for entry in service.spec.ports], name
        addresses = core.read_namespaced_endpoints(name, namespace).subsets
        assert addresses and addresses[0].addresses, name
    secret = core.read_namespaced_secret("grafana-admin", NAMESPACE).data["admin-password"]
    assert "get secret grafana-admin -o jsonpath='{.data.admin-password}' | base64 -d\n" in run.stdout
    assert secret not in run.stdout
    assert base64.b64decode(secret).decode() not in run.stdout


def test_the_gateway_lets_in_who_has_a_token(
    run_playbook: RunPlaybook, issuer: Issuer, cluster_snapshot: Snapshot
) -> None:
    if INVENTORY:
        pytest.skip("only the lab's gateway is known to be on this machine")
    variables = {
        "dashboards_hosts": HOSTS,
        "dashboards_tls_credential": "dashboards-tls",
        "dashboards_jwt": {"issuer": ISSUER, "jwks": issuer.jwks},
    }
    before = cluster_snapshot()
    try:
        check = run_playbook("dashboards.yml", "--check", "--diff", variables=variables)
        assert (check.rc, check.changed) == (0, 1), check.stdout
        assert ask(HOSTS["grafana"]) == 0
        run = run_playbook("dashboards.yml", variables=variables)
        assert (run.rc, run.changed) == (0, 1), run.stdout
        assert "https://grafana.example.com/, login by https://login.example.com" in run.stdout
        token = issuer.token()
        ways = {"grafana": {"x-dashboards-token": token}, "prometheus": {"Cookie": f"dashboards-token={token}"}}
        for name, host in HOSTS.items():
            deadline = time.monotonic() + 60
            while (status := ask(host)) != 403 and time.monotonic() < deadline:
                time.sleep(0.5)
            assert status == 403, f"{host} without a token"
            # The lab's dashboards are simulated: no server is behind it, and the proxy has tried, for ten seconds.
            assert ask(host, ways[name]) == 503
            assert ask(host, {"x-dashboards-token": issuer.token("https://elsewhere.example.com")}) in (401, 403)
            assert ask(host, {"x-dashboards-token": Issuer().token()}) == 401
            assert ask(host, {"Authorization": f"Bearer {token}"}) == 403
        again = run_playbook("dashboards.yml", variables=variables)
        assert (again.rc, again.changed) == (0, 0), again.stdout
    finally:
        gone = run_playbook("dashboards.yml")
        assert (gone.rc, gone.changed) == (0, 1), gone.stdout
    assert cluster_snapshot() == before
