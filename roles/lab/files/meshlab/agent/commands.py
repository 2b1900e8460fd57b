"""What runs in place of a container image: istiod, an Istio proxy, or the restaurant's stand-in."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..api import Api
from ..components import server
from ..pki import Pki
from ..settings import Settings
from ..telemetry import peer_environment
from .podspec import environment, expand, labels

Object = dict[str, Any]
TEMPLATES = Path(__file__).parent.parent / "templates"
# istio-iptables lets everything of this user or group pass; the group is enough, and root may read the lab's files.
PROXY_ID = "1337"
# Those that the Service istiod and the webhooks lead to.
ISTIOD_PORTS = {"monitoring": 15014, "http": 8080, "https": 15017, "grpc": 15010, "secure": 15012}
TOKEN_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Command:
    """What to start for a container. ``namespace`` None means the host's own network namespace."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


@dataclass(frozen=True)
class PodContext:
    """What the commands of one pod share."""

    settings: Settings
    api: Api
    pod: Object
    ip: str
    netns: str
    folder: Path

    @property
    def namespace(self) -> str:
        """The pod's Kubernetes namespace."""
        return str(self.pod["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    def inside(self, argv: list[str], as_proxy: bool = False) -> list[str]:
        """The same command inside the pod's network namespace."""
        group = ["setpriv", "--regid", PROXY_ID, "--clear-groups"] if as_proxy else []
        return ["ip", "netns", "exec", self.netns, *group, *argv]


def is_istiod_pod(pod: Object) -> bool:
    """istiod runs in the host's namespace, under the pod's address, so that it reaches the API server's loopback."""
    return labels(pod).get("app") == "istiod"


def command_for(context: PodContext, container: Object) -> Command:
    """The command of a container."""
    if container["name"] == "istio-proxy":
        return _proxy(context, container)
    if is_istiod_pod(context.pod) and container["name"] == "discovery":
        return istiod_command(context, container, ISTIOD_PORTS)
    return _stand_in(context, container)


def hook_command(context: PodContext, container: Object, command: list[str]) -> list[str]:
    """A lifecycle hook's command; Istio's own hooks call pilot-agent, which here is stored in the cache."""
    argv = list(command)
    if argv and argv[0] == "pilot-agent":
        argv[0] = context.settings.tool("pilot-agent")
    return context.inside(argv, as_proxy=container["name"] == "istio-proxy")


def capture_command(context: PodContext, init_container: Object | None) -> list[str]:
    """Istio's own iptables program, with the arguments of istio-init where the pod has one, as istio-cni does else."""
    annotations = context.pod["metadata"].get("annotations", {})
    if init_container:
        arguments = [a for a in init_container.get("args", []) if a != "istio-iptables"]
    else:
        excluded = annotations.get("traffic.sidecar.istio.io/excludeInboundPorts", "")
        arguments = ["-p", "15001", "-z", "15006", "-u", PROXY_ID, "-m", "REDIRECT"]
        arguments += ["-i", annotations.get("traffic.sidecar.istio.io/includeOutboundIPRanges", "*"), "-x", ""]
        arguments += ["-b", annotations.get("traffic.sidecar.istio.io/includeInboundPorts", "*")]
        arguments += ["-d", ",".join(filter(None, ["15090", "15021", "15020", excluded]))]
        excluded_out = annotations.get("traffic.sidecar.istio.io/excludeOutboundPorts", "")
        if excluded_out:
            arguments += ["-o", excluded_out]
    return context.inside([context.settings.tool("pilot-agent"), "istio-iptables", *arguments])


def _arguments(container: Object, variables: dict[str, str]) -> list[str]:
    return [expand(argument, variables) for argument in container.get("args", [])]


def _proxy(context: PodContext, container: Object) -> Command:
    env = environment(context.pod, container, context.ip, context.settings.bridge_ip)
    config = yaml.safe_load(env.get("PROXY_CONFIG") or "{}") or {}
    config["binaryPath"] = context.settings.tool("envoy")
    config["proxyBootstrapTemplatePath"] = str(TEMPLATES / "envoy_bootstrap.json")
    env["PROXY_CONFIG"] = json.dumps(config)
    env |= peer_environment(labels(context.pod), env)
    _write_identity(context)
    argv = [context.settings.tool("pilot-agent"), *_arguments(container, env)]
    argv += ["--templateFile", config["proxyBootstrapTemplatePath"]]
    return Command(context.inside(argv, as_proxy=True), env, context.folder)


def _write_identity(context: PodContext) -> None:
    """What a kubelet mounts into a proxy: token, root certificate, labels and annotations."""
    folder = context.folder
    root = context.api.get(f"/api/v1/namespaces/{context.namespace}/configmaps/istio-ca-root-cert")
    if root is None:
        raise LookupError('configmap "istio-ca-root-cert" not found')
    _write(folder / "var/run/secrets/istio/root-cert.pem", root["data"]["root-cert.pem"])
    _write(folder / "var/run/secrets/tokens/istio-token", service_account_token(context, "istio-ca"))
    metadata = context.pod["metadata"]
    for field in ("labels", "annotations"):
        lines = [f"{key}={json.dumps(value)}" for key, value in sorted(metadata.get(field, {}).items())]
        _write(folder / "etc/istio/pod" / field, "\n".join(lines))


def service_account_token(context: PodContext, audience: str | None) -> str:
    """A token of the pod's service account, bound to the pod."""
    account = context.pod["spec"].get("serviceAccountName", "default")
    reference = {"kind": "Pod", "apiVersion": "v1", "name": context.name, "uid": context.pod["metadata"]["uid"]}
    spec: Object = {"expirationSeconds": TOKEN_SECONDS, "boundObjectRef": reference}
    if audience:
        spec["audiences"] = [audience]
    answer = context.api.request(
        "POST", f"/api/v1/namespaces/{context.namespace}/serviceaccounts/{account}/token", {"spec": spec}
    )
    return str(answer["status"]["token"])


def istiod_command(context: PodContext, container: Object, ports: dict[str, int]) -> Command:
    """The real control plane, with the arguments and the rights of its pod, at the pod's address."""
    env = environment(context.pod, container, context.ip, context.settings.bridge_ip)
    kubeconfig = context.folder / "kubeconfig"
    Pki(context.settings.state_dir / "pki").write_kubeconfig(
        kubeconfig, server(context.settings), {"token": service_account_token(context, None)}, context.settings.name
    )
    env.pop("KUBECONFIG", None)
    flags = {"monitoring": "monitoringAddr", "http": "httpAddr", "https": "httpsAddr", "grpc": "grpcAddr"}
    flags["secure"] = "secureGRPCAddr"
    replaced = tuple(f"--{flag}" for flag in (*flags.values(), "kubeconfig"))
    argv = [argument for argument in _arguments(container, env) if not argument.startswith(replaced)]
    argv += [f"--{flag}={context.ip}:{ports[name]}" for name, flag in flags.items()]
    argv += [f"--kubeconfig={kubeconfig}", f"--ctrlz_address={context.ip}"]
    return Command([context.settings.tool("pilot-discovery"), *argv], env, context.folder)


def _stand_in(context: PodContext, container: Object) -> Command:
    of_pod = labels(context.pod)
    ports = container.get("ports") or [{"containerPort": 8080}]
    identity = {
        "port": ports[0]["containerPort"],
        "service": of_pod.get("app", container["name"]),
        "version": of_pod.get("version", "v1"),
        "pod": context.name,
        "faults": str(context.settings.faults),
    }
    # The one of gRPC needs a library, the other nothing but the standard library.
    options, program = ([], "standin_grpc.py") if ports[0].get("name") == "grpc" else (["-S", "-E"], "standin.py")
    path = Path(__file__).parent.parent / program
    argv = [sys.executable, *options, str(path), json.dumps(identity)]
    return Command(context.inside(argv), environment(context.pod, container, context.ip, context.ip), context.folder)


def describe(argv: list[str]) -> str:
    """One line for the log."""
    return shlex.join(argv)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
