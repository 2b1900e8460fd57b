"""Bad input is refused in words that name the variable and the remedy, and the cluster is left as it was."""

from __future__ import annotations

import base64
import datetime
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes import client

from ..support.accounts import kubeconfig_of
from ..support.playbooks import RunPlaybook
from ..support.refusals import refused
from ..support.snapshots import Snapshot

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown environment": (
        {"service_mesh_environment": "prod"},
        ["service_mesh_environment is 'prod'", "lab, development, staging, production"],
    ),
    "the application": (
        {
            "restaurant_app_replicas": "two",
            "restaurant_app_hosts": ["other.example.com"],
            "restaurant_app_services": {
                "menu-service": {"weights": {"v1": 100}},
                "order-service": {"weights": {"v1": 80, "v2": 10}},
            },
            "restaurant_app_image_registry": "https://registry.example.com",
        },
        [
            'restaurant_app_replicas is "two"',
            "whole number",
            "restaurant_app_hosts has other.example.com",
            "restaurant_app_gateway_hosts",
            "restaurant_app_services.menu-service.weights",
            "restaurant_app_services.order-service.weights",
            "sum to 100",
            "which is not a valid image reference",
        ],
    ),
    "an IP family that the lab's Services do not have": (
        {"istio_gateway_ip_families": ["IPv4", "IPv6"]},
        ["istio_gateway_ip_families has IPv6", "they have only IPv4", "Leave istio_gateway_ip_families empty"],
    ),
    "missing secret": (
        {"restaurant_app_image_pull_secrets": ["no-such-secret"]},
        ["restaurant_app_image_pull_secrets", "no-such-secret", "Create it first"],
    ),
    "wrong cluster": (
        {"service_mesh_cluster_uid": "00000000-0000-0000-0000-000000000000"},
        ["service_mesh_cluster_uid", "00000000-0000-0000-0000-000000000000"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_variable(case: str, run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    variables, words = CASES[case]
    refused(run_playbook, cluster_snapshot, variables, words)


def test_an_expired_kubeconfig(
    kubeconfig: str, tmp_path: Path, run_playbook: RunPlaybook, cluster_snapshot: Snapshot
) -> None:
    certificate, key = expired_certificate()
    user = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    path = kubeconfig_of(kubeconfig, user, tmp_path)
    refused(run_playbook, cluster_snapshot, {"service_mesh_kubeconfig": path}, ["expired", "service_mesh_kubeconfig"])


def test_an_account_that_may_nothing(
    kubeconfig: str, api: client.ApiClient, tmp_path: Path, run_playbook: RunPlaybook, cluster_snapshot: Snapshot
) -> None:
    token = client.CoreV1Api(api).create_namespaced_service_account_token(
        "default", "default", {"spec": {"expirationSeconds": 600}}
    )
    path = kubeconfig_of(kubeconfig, {"token": token.status.token}, tmp_path)
    # Named by its address: this account may not even read the uid.
    server = yaml.safe_load(Path(kubeconfig).read_text())["clusters"][0]["cluster"]["server"]
    variables = {
        "service_mesh_kubeconfig": path,
        "service_mesh_cluster_uid": "",
        "service_mesh_cluster_server": server,
    }
    refused(run_playbook, cluster_snapshot, variables, ["system:serviceaccount:default:default", "namespaces"])


def test_a_port_in_use(run_playbook: RunPlaybook, cluster_snapshot: Snapshot, tmp_path: Path) -> None:
    variables = {"lab_name": "refused", "lab_port_offset": 800, "lab_state_dir": str(tmp_path / "lab")}
    with socket.create_server(("127.0.0.1", 8080 + 800)):
        before = cluster_snapshot()
        run = run_playbook("lab_up.yml", variables=variables)
    assert run.rc != 0, run.stdout
    assert "8880" in run.text, run.stdout
    assert "lab_port_offset" in run.text, run.stdout
    assert cluster_snapshot() == before


def expired_certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "former-admin")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
