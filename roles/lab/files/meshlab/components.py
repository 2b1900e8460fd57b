"""The lab's fixed processes: what each is started with, where it answers, and in which order they start."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .pki import FRONT_PROXY, Pki
from .settings import Settings

LOOPBACK = "127.0.0.1"
# Resolved, so that the same files by another path do not restart what runs.
HERE = Path(__file__).resolve().parent
# The annotation of the nodes that kwok simulates.
SIMULATED_NODE = ("kwok.x-k8s.io/node", "fake")


@dataclass(frozen=True)
class Component:
    """One process. ``health`` is a URL that answers 200 when it is ready; None where alive is all there is to know."""

    name: str
    argv: list[str]
    address: str
    health: str | None = None
    env: dict[str, str] = field(default_factory=dict)


def server(settings: Settings) -> str:
    """The API server's URL."""
    return f"https://{LOOPBACK}:{settings.port('api')}"


def write_credentials(settings: Settings) -> None:
    """Certificates and the kubeconfigs of the administrator and of the control plane."""
    pki = Pki(settings.state_dir / "pki")
    # A real node's pods reach the API server at these too.
    pki.ensure([LOOPBACK, settings.bridge_ip, settings.kubernetes_ip], node_address=settings.bridge_ip)
    users = {
        "admin": (settings.kubeconfig, "system:masters"),
        "system:kube-controller-manager": (pki.path("controller-manager.kubeconfig"), None),
        "system:kube-scheduler": (pki.path("scheduler.kubeconfig"), None),
    }
    for user, (path, group) in users.items():
        pki.kubeconfig(path, server(settings), user, group, settings.name)


def components(settings: Settings) -> list[Component]:
    """All of them, in starting order."""
    parts = [_etcd(settings), _api_server(settings), _controller_manager(settings), _scheduler(settings)]
    parts += [_kwok(settings), _kube_state_metrics(settings), _prometheus(settings)]
    parts.append(own(settings, "infra", "volumes, Prometheus's configuration"))
    parts.append(own(settings, "agent", "pods" if settings.pod_network else "istiod"))
    parts.append(own(settings, "forward", f"http://{LOOPBACK}:{settings.port('gateway')}"))
    return parts


def own(settings: Settings, verb: str, address: str) -> Component:
    """A process of the lab's own program."""
    return Component(
        name=verb,
        argv=[sys.executable, "-m", "meshlab", "--settings", str(settings.state_dir / "settings.json"), verb],
        address=address,
        env={"PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": "1"},
    )


def _etcd(settings: Settings) -> Component:
    client = f"http://{LOOPBACK}:{settings.port('etcd')}"
    peer = f"http://{LOOPBACK}:{settings.port('etcd_peer')}"
    return Component(
        name="etcd",
        argv=[
            settings.tool("etcd"),
            f"--data-dir={settings.state_dir / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # A lab's data need not survive a power cut; fsync would be the slowest part of every write.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        address=client,
        health=f"{client}/health",
    )


def _api_server(settings: Settings) -> Component:
    pki = settings.state_dir / "pki"
    return Component(
        name="kube-apiserver",
        argv=[
            settings.tool("kube-apiserver"),
            f"--etcd-servers=http://{LOOPBACK}:{settings.port('etcd')}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={settings.port('api')}",
            # Only this host may reach the API server, so it has no address to advertise. It wants one all the same, and
            # without a default route, as on a laptop without a network, it would find none: one of documentation's.
            "--endpoint-reconciler-type=none",
            "--advertise-address=192.0.2.1",
            f"--service-cluster-ip-range={settings.service_cidr}",
            f"--tls-cert-file={pki / 'api.crt'}",
            f"--tls-private-key-file={pki / 'api.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            "--api-audiences=https://kubernetes.default.svc.cluster.local,istio-ca",
            "--authorization-mode=Node,RBAC",
            # Webhooks and aggregated APIs are called at a pod's address: the lab has no kube-proxy.
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={pki / 'ca.crt'}",
            f"--requestheader-allowed-names={FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki / f'client-{FRONT_PROXY}.crt'}",
            f"--proxy-client-key-file={pki / f'client-{FRONT_PROXY}.key'}",
            # Nodes have no name that anything resolves.
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'client-kube-apiserver.crt'}",
            f"--kubelet-client-key={pki / 'client-kube-apiserver.key'}",
            "--v=1",
        ],
        address=server(settings),
        health=f"{server(settings)}/readyz",
    )


def _controller_manager(settings: Settings) -> Component:
    pki = settings.state_dir / "pki"
    return Component(
        name="kube-controller-manager",
        argv=[
            settings.tool("kube-controller-manager"),
            f"--kubeconfig={pki / 'controller-manager.kubeconfig'}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={settings.port('controller_manager')}",
            f"--cert-dir={pki}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--allocate-node-cidrs",
            f"--cluster-cidr={settings.kwok_pod_cidr}",
            f"--service-cluster-ip-range={settings.service_cidr}",
            # A namespace full of pods should not take longer to go than its pods do.
            "--concurrent-namespace-syncs=20",
            # The nodes are simulated: what looks like the death of one is a machine too busy to renew its lease.
            "--node-monitor-grace-period=10m",
        ],
        address=f"https://{LOOPBACK}:{settings.port('controller_manager')}",
        health=f"https://{LOOPBACK}:{settings.port('controller_manager')}/healthz",
    )


def _scheduler(settings: Settings) -> Component:
    pki = settings.state_dir / "pki"
    return Component(
        name="kube-scheduler",
        argv=[
            settings.tool("kube-scheduler"),
            f"--kubeconfig={pki / 'scheduler.kubeconfig'}",
            f"--authentication-kubeconfig={pki / 'scheduler.kubeconfig'}",
            f"--authorization-kubeconfig={pki / 'scheduler.kubeconfig'}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={settings.port('scheduler')}",
            f"--cert-dir={pki}",
            "--leader-elect=false",
        ],
        address=f"https://{LOOPBACK}:{settings.port('scheduler')}",
        health=f"https://{LOOPBACK}:{settings.port('scheduler')}/healthz",
    )


def _kwok(settings: Settings) -> Component:
    address = f"{LOOPBACK}:{settings.port('kwok')}"
    return Component(
        name="kwok",
        argv=[
            settings.tool("kwok"),
            f"--kubeconfig={settings.kubeconfig}",
            # A real node is its kubelet's: kwok would overwrite its address and its pods' states.
            f"--manage-nodes-with-annotation-selector={'='.join(SIMULATED_NODE)}",
            f"--config={settings.state_dir / 'kwok.yaml'}",
            f"--server-address={address}",
            # kwok addresses nodes that have none of their own with this; the pod agent answers there for logs.
            f"--node-ip={settings.bridge_ip}",
            "--node-lease-duration-seconds=40",
        ],
        address=f"http://{address}",
        health=f"http://{address}/healthz",
        env={"KWOK_WORKDIR": str(settings.state_dir / "kwok")},
    )


def _kube_state_metrics(settings: Settings) -> Component:
    address = f"http://{LOOPBACK}:{settings.port('kube_state_metrics')}"
    return Component(
        name="kube-state-metrics",
        argv=[
            settings.tool("kube-state-metrics"),
            f"--kubeconfig={settings.kubeconfig}",
            f"--host={LOOPBACK}",
            f"--port={settings.port('kube_state_metrics')}",
            f"--telemetry-host={LOOPBACK}",
            f"--telemetry-port={settings.port('kube_state_metrics_own')}",
        ],
        address=address,
        health=f"{address}/livez",
    )


def _prometheus(settings: Settings) -> Component:
    address = f"{LOOPBACK}:{settings.port('prometheus')}"
    return Component(
        name="prometheus",
        argv=[
            settings.tool("prometheus"),
            f"--config.file={settings.state_dir / 'prometheus.yml'}",
            f"--storage.tsdb.path={settings.state_dir / 'prometheus'}",
            "--storage.tsdb.retention.time=1d",
            f"--web.listen-address={address}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ],
        address=f"http://{address}",
        health=f"http://{address}/-/ready",
        env={"GOMAXPROCS": str(os.cpu_count() or 1)},
    )
