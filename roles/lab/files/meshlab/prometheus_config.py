"""The lab's Prometheus runs with the configuration and the rules that role prometheus has put into the cluster.

Rules are taken as they are. Of the configuration only what says where targets are is fitted to this machine: simulated
pods do not answer, so only what really runs is scraped, at the lab's pace, which canaries need. As long as the cluster
has no such configuration, the lab's own holds.
"""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import requests
import yaml

from .api import Api
from .settings import Settings

Config = dict[str, Any]
LOGGER = logging.getLogger("prometheus_config")
SELECTOR = "app.kubernetes.io%2Fname%3Dprometheus%2Capp.kubernetes.io%2Fcomponent%3Dserver"
MAIN = "prometheus.yml"
# Where the pod would find its configuration.
POD_FOLDER = "/etc/config"
PODS_JOB = "kubernetes-pods"
# Discovered by addresses of pods and nodes that nothing listens on.
SIMULATED_JOBS = ("kubernetes-api-servers", "kubernetes-nodes", "kubernetes-nodes-cadvisor")


def adapted(rendered: Config, own: Config, rules: Path, server: str) -> Config:
    """``rendered``: the cluster's; ``own``: the lab's, whose one job says what really runs."""
    config = copy.deepcopy(rendered)
    lab_job: Config = next((job for job in own["scrape_configs"] if job["job_name"] == PODS_JOB), {})
    config["global"] = {**config.get("global", {}), **own["global"]}
    config["rule_files"] = [str(path).replace(POD_FOLDER, str(rules)) for path in config.get("rule_files", [])]
    config.pop("alerting", None)
    jobs = []
    for job in config.get("scrape_configs", []) if lab_job else []:
        if job["job_name"] in SIMULATED_JOBS:
            continue
        for key in ("scrape_interval", "scrape_timeout", "bearer_token_file", "tls_config"):
            job.pop(key, None)
        for discovery in job.get("kubernetes_sd_configs", []):
            discovery["kubeconfig_file"] = lab_job["kubernetes_sd_configs"][0]["kubeconfig_file"]
            job["relabel_configs"] = [*job.get("relabel_configs", []), *lab_job["relabel_configs"]]
        for static in job.get("static_configs", []):
            static["targets"] = [server for _target in static["targets"]]
        if job["job_name"] == PODS_JOB:
            job["metric_relabel_configs"] = [*job.get("metric_relabel_configs", []), *lab_job["metric_relabel_configs"]]
        jobs.append(job)
    names = {job["job_name"] for job in jobs}
    config["scrape_configs"] = [*jobs, *(job for job in own["scrape_configs"] if job["job_name"] not in names)]
    return config


class Reloader:
    """Does for the lab's Prometheus what the container beside it does in a pod."""

    def __init__(self, settings: Settings) -> None:
        self._api = Api(settings)
        self._address = f"127.0.0.1:{settings.port('prometheus')}"
        self._own = settings.state_dir / "prometheus-own.yml"
        self._target = settings.state_dir / "prometheus.yml"
        self._rules = settings.state_dir / "prometheus-rules"

    def run(self) -> None:
        """For ever."""
        for event, item in self._api.watch(f"/api/v1/configmaps?labelSelector={SELECTOR}"):
            found = item.get("items", []) if event == "LIST" else [item]
            if event == "DELETED" or not found:
                self._load({})
            else:
                self._load(found[0].get("data") or {})

    def once(self) -> None:
        """With what the cluster has now. Before Prometheus runs it only writes the files."""
        found = self._api.request("GET", f"/api/v1/configmaps?labelSelector={SELECTOR}")["items"]
        self._load(found[0].get("data") or {} if found else {})

    def _load(self, files: dict[str, str]) -> None:
        own: Config = yaml.safe_load(self._own.read_text(encoding="utf-8"))
        config = own
        if MAIN in files:
            config = adapted(yaml.safe_load(files[MAIN]), own, self._rules, self._address)
        self._rules.mkdir(exist_ok=True)
        wanted = {name: text for name, text in files.items() if name != MAIN}
        changed = False
        for name, text in wanted.items():
            changed |= _write(self._rules / name, text)
        for path in self._rules.iterdir():
            if path.name not in wanted:
                path.unlink()
                changed = True
        changed |= _write(self._target, yaml.safe_dump(config, sort_keys=False))
        if changed:
            self._reload(len(wanted))

    def _reload(self, rule_files: int) -> None:
        try:
            answer = requests.post(f"http://{self._address}/-/reload", timeout=30)
        except requests.ConnectionError:
            return
        LOGGER.info("%d rule files: %s %s", rule_files, answer.status_code, answer.text.strip())


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
