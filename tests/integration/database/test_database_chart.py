"""The databases' chart, rendered without a cluster."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from ..support.database_servers import CHART, Objects, container_of, helm, job_container_of, render, template
from ..support.playbooks import ROOT

WORKLOADS = ("postgresql", "postgresql-archive", "redis", "rabbitmq")
WITH_ARCHIVE = {"postgresql": {"archive": {"enabled": True}}}
PORTS = {"postgresql": 5432, "redis": 6379, "rabbitmq": 5672}
RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))


def pods(objects: Objects) -> dict[str, dict[str, Any]]:
    found = {name: objects["StatefulSet", name]["spec"]["template"] for kind, name in objects if kind == "StatefulSet"}
    for name in ("postgresql-backup", "postgresql-restore"):
        found[name] = objects["CronJob", name]["spec"]["jobTemplate"]["spec"]["template"]
    return found


def test_lint() -> None:
    done = subprocess.run([helm(), "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_pod_has_a_right_a_sidecar_or_a_secret_in_its_environment() -> None:
    found = pods(render(WITH_ARCHIVE))
    assert set(found) >= set(WORKLOADS)
    for name, pod in found.items():
        assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false", name
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]) == {"requests", "limits"}
            assert not [item for item in container["env"] if "secretKeyRef" in item.get("valueFrom", {})]
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            claims = {"data"} if name in WORKLOADS else set()
            assert mounts == {volume["name"] for volume in spec["volumes"]} | claims


def test_three_servers_on_three_nodes_of_which_one_may_be_away() -> None:
    objects = render()
    postgresql = objects["StatefulSet", "postgresql"]["spec"]
    assert postgresql["replicas"] == 3
    affinity = postgresql["template"]["spec"]["affinity"]["podAntiAffinity"]
    (apart,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    assert objects["PodDisruptionBudget", "postgresql"]["spec"]["maxUnavailable"] == 1
    assert ("PodDisruptionBudget", "postgresql") not in render({"postgresql": {"replicas": 1}})
    preferred = pods(render({"postgresql": {"antiAffinity": "preferred"}}))["postgresql"]["spec"]["affinity"]
    (wanted,) = preferred["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert wanted["podAffinityTerm"] == apart


def test_backups_ask_the_primary_which_server_to_read_at_a_time_that_a_zone_decides() -> None:
    objects = render({"postgresql": {"backup": {"timeZone": "Europe/Berlin", "schedule": "0 3 * * *"}}})
    env = {item["name"]: item.get("value") for item in job_container_of(objects, "postgresql-backup")["env"]}
    assert (env["PGHOST"], env["BACKUP_VERIFY"]) == ("postgresql", "true")
    spec = objects["CronJob", "postgresql-backup"]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 3 * * *", "Europe/Berlin")
    assert render()["CronJob", "postgresql-backup"]["spec"]["timeZone"] == "Etc/UTC"


def test_what_belongs_to_the_cluster_stays_when_the_release_goes() -> None:
    topology = render()["ConfigMap", "postgresql-primary"]
    assert topology["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_archive_comes_with_its_value_and_the_primary_knows() -> None:
    assert ("StatefulSet", "postgresql-archive") not in render()
    for values, known in ((WITH_ARCHIVE, "true"), ({}, "false")):
        env = {item["name"]: item.get("value") for item in container_of(render(values), "postgresql")["env"]}
        assert env["POSTGRESQL_ARCHIVE"] == known
    spec = render(WITH_ARCHIVE)["StatefulSet", "postgresql-archive"]["spec"]
    assert spec["replicas"] == 1
    (secrets,) = (volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "secrets")
    assert {item["key"] for item in secrets["secret"]["items"]} == {"replicator-password", "postgres-password"}


def test_every_port_is_declared_as_tcp_and_reaches_its_container() -> None:
    objects = render()
    for name, port in PORTS.items():
        (served,) = objects["Service", name]["spec"]["ports"]
        assert (served["port"], served["appProtocol"]) == (port, "tcp")
        names = {item["name"]: item["containerPort"] for item in container_of(objects, name)["ports"]}
        assert names[served["targetPort"]] == port


def test_clients_write_to_the_named_primary_and_replicas_find_each_other() -> None:
    objects = render()
    assert objects["ConfigMap", "postgresql-primary"]["data"] == {"primary": "postgresql-0"}
    selector = objects["Service", "postgresql"]["spec"]["selector"]
    assert selector == {"app": "postgresql", "statefulset.kubernetes.io/pod-name": "postgresql-0"}
    assert objects["Service", "postgresql-read"]["spec"]["selector"] == {"app": "postgresql"}
    headless = objects["Service", "postgresql-headless"]["spec"]
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)
    env = {item["name"]: item.get("value") for item in container_of(objects, "postgresql")["env"]}
    assert env["POSTGRESQL_HOST_FORMAT"].endswith(".postgresql-headless")


def test_only_the_application_the_servers_the_jobs_and_the_monitoring_get_in() -> None:
    objects = render()
    assert objects["NetworkPolicy", "default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    application = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "restaurant-management"}}}
    for name, port in PORTS.items():
        rule, *more = objects["NetworkPolicy", name]["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": port}]
        assert rule["from"][0] == application
        assert len(rule["from"]) == (2 if name == "postgresql" else 1)
        assert bool(more) == (name == "rabbitmq")
    jobs = {pod["metadata"]["labels"]["app"] for pod in pods(render(WITH_ARCHIVE)).values()} - {"redis", "rabbitmq"}
    (_application, servers) = objects["NetworkPolicy", "postgresql"]["spec"]["ingress"][0]["from"]
    assert set(servers["podSelector"]["matchExpressions"][0]["values"]) == jobs
    (expression,) = objects["NetworkPolicy", "postgresql-clients"]["spec"]["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == jobs


def test_nodes_reach_the_only_port_that_they_probe() -> None:
    """For network plugins that let a node's probes past no policy."""
    objects = render({"networkPolicy": {"nodeCIDRs": ["10.0.0.0/16"]}, "observability": {"enabled": False}})
    probed = {
        name
        for name in PORTS
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        if "exec" not in container_of(objects, name).get(probe, {"exec": {}})
    }
    assert probed == {"rabbitmq"}
    _application, *nodes = objects["NetworkPolicy", "rabbitmq"]["spec"]["ingress"]
    assert nodes == [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"protocol": "TCP", "port": "amqp"}]}]
    assert len(objects["NetworkPolicy", "redis"]["spec"]["ingress"]) == 1


def test_names_may_be_asked_of_any_address() -> None:
    """A pod of kube-system on most clusters, of openshift-dns at 5353; the node on EKS Auto Mode; Cloud DNS on GKE."""
    ports = [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]
    assert {"ports": ports} in render()["NetworkPolicy", "postgresql-clients"]["spec"]["egress"]
    peers = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]
    objects = render({"networkPolicy": {"dns": peers}})
    assert {"ports": ports, "to": peers} in objects["NetworkPolicy", "postgresql-clients"]["spec"]["egress"]
    refused = template({"networkPolicy": {"dns": ["kube-system"]}})
    assert refused.returncode != 0
    assert "/networkPolicy/dns/0" in refused.stderr


def test_the_application_may_leave_to_these_ports() -> None:
    chart = ROOT / "roles/restaurant_app/files/chart"
    command = [
        helm(),
        "template",
        "app",
        str(chart),
        "--kube-version",
        "1.36.0",
        "--show-only",
        "templates/networkpolicy.yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    to_database = done.stdout.split("kubernetes.io/metadata.name: database")[1].split("- to:")[0]
    assert re.findall(r"port: (\d+)", to_database) == [str(port) for port in PORTS.values()]


def test_mutual_tls_is_off_towards_pods_that_have_no_proxy() -> None:
    rule = render()["DestinationRule", "database"]["spec"]
    assert rule["host"] == "*.database.svc.cluster.local"
    assert rule["exportTo"] == ["restaurant-management"]
    assert rule["trafficPolicy"]["tls"] == {"mode": "DISABLE"}
    assert not [kind for kind, _name in render({"istio": {"enabled": False}}) if kind == "DestinationRule"]


def test_servers_elsewhere_have_the_same_names_and_nothing_runs_here() -> None:
    external = {"postgresql": {"host": "db.example.com"}, "redis": {"host": "cache.example.com", "port": 6380}}
    objects = render({"mode": "external", "external": external})
    assert set(objects) == {(kind, name) for kind in ("Service", "ServiceEntry") for name in ("postgresql", "redis")}
    assert objects["Service", "redis"]["spec"]["externalName"] == "cache.example.com"
    entry = objects["ServiceEntry", "redis"]["spec"]
    assert (entry["hosts"], entry["resolution"], entry["location"]) == (["cache.example.com"], "DNS", "MESH_EXTERNAL")
    assert entry["ports"] == [{"number": 6380, "name": "tcp-redis", "protocol": "TCP"}]


def test_a_change_of_configuration_restarts_the_pods() -> None:
    def checksum(name: str, values: dict[str, Any]) -> str:
        found: str = pods(render(values))[name]["metadata"]["annotations"]["checksum/config"]
        return found

    for name, values in {
        "postgresql": {"postgresql": {"settings": {"work_mem": "8MB"}}},
        "redis": {"redis": {"maxmemory": "128mb"}},
        "rabbitmq": {"rabbitmq": {"memoryWatermark": "500MB"}},
    }.items():
        assert checksum(name, values) != checksum(name, {})
        assert checksum(name, {}) == checksum(name, {})


def test_settings_are_quoted() -> None:
    settings = {"synchronous_standby_names": "ANY 1 (postgresql_1)", "application_name": "it's"}
    config = render({"postgresql": {"settings": settings}})["ConfigMap", "postgresql-config"]["data"]["postgresql.conf"]
    assert "synchronous_standby_names = 'ANY 1 (postgresql_1)'" in config.splitlines()
    assert "application_name = 'it''s'" in config.splitlines()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"postgresql": {"replica": 3}}, "replica"),
        ({"postgresql": {"replicas": 0}}, "/postgresql/replicas"),
        ({"postgresql": {"backup": {"timeZone": "Berlin time"}}}, "/postgresql/backup/timeZone"),
        ({"postgresql": {"archive": {"keep": 0}}}, "/postgresql/archive/keep"),
        ({"networkPolicy": {"nodeCIDRs": ["node-1"]}}, "/networkPolicy/nodeCIDRs"),
        ({"postgresql": {"username": "postgres"}}, "/postgresql/username"),
        ({"postgresql": {"settings": {"a": "b\nc = 1"}}}, "/postgresql/settings"),
        ({"redis": {"maxmemoryPolicy": "lru"}}, "/redis/maxmemoryPolicy"),
        ({"mode": "external", "external": {"redis": {"host": "10.0.0.1"}}}, "/external/redis/host"),
    ],
)
def test_an_invalid_value_is_refused(values: dict[str, Any], words: str) -> None:
    done = template(values)
    assert done.returncode != 0
    assert words in done.stderr


def test_what_the_runbooks_run_is_there() -> None:
    objects = render()
    (scripts,) = (m for m in container_of(objects, "postgresql")["volumeMounts"] if m["name"] == "scripts")
    assert scripts["mountPath"] == "/scripts"
    commands = "\n".join(path.read_text() for path in [*RUNBOOKS, ROOT / "docs/database.md"])
    named = set(re.findall(r"/scripts/([a-z]+\.sh)", commands))
    assert named >= {"status.sh", "promote.sh", "rejoin.sh"}
    assert named <= set(objects["ConfigMap", "postgresql-scripts"]["data"])
    jobs = {name for kind, name in objects if kind == "CronJob"}
    assert set(re.findall(r"--from=cronjob/(\S+)", commands)) <= jobs
    restore = {item["name"] for item in job_container_of(objects, "postgresql-restore")["env"]}
    assert set(re.findall(r"(RESTORE_[A-Z]+)=", commands)) <= restore
