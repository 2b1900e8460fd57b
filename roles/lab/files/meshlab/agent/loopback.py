"""A lab without the pod network: kwok simulates every pod, and istiod alone runs, on loopback ports.

So injection and validation are real; the lab's inventory has the webhooks call istiod by URL instead of by Service.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from ..api import Api, ApiError
from ..components import LOOPBACK
from ..processes import Processes
from ..settings import Settings
from .commands import PodContext, istiod_command
from .podspec import find_container

Object = dict[str, Any]
LOGGER = logging.getLogger("loopback")
PODS = "/api/v1/pods?labelSelector=app%3Distiod"
NAME = "istiod"


class LoopbackIstiod:
    """Keeps one istiod running for as long as the cluster has a pod of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._processes = Processes(settings.state_dir / "run" / "pods")
        self._uid = ""

    def run(self) -> None:
        """For ever, with a look a second."""
        while True:
            try:
                self._look()
            except (ApiError, OSError, LookupError) as error:
                LOGGER.warning("%s", error)
            time.sleep(1)

    def _look(self) -> None:
        pods = [
            pod
            for pod in self._api.request("GET", PODS)["items"]
            if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        ]
        if not pods:
            self._processes.stop(NAME)
            self._uid = ""
        elif self._uid not in [pod["metadata"]["uid"] for pod in pods] or not self._processes.alive(NAME):
            self._start(pods[0])

    def _start(self, pod: Object) -> None:
        container = find_container(pod, "discovery")
        if container is None:
            raise LookupError(f"pod {pod['metadata']['name']} has no container 'discovery'")
        self._processes.stop(NAME)
        folder = self._settings.state_dir / "pods" / NAME
        folder.mkdir(parents=True, exist_ok=True)
        context = PodContext(self._settings, self._api, pod, LOOPBACK, "", folder)
        ports = {
            name: self._settings.port(f"istiod_{name}") for name in ("monitoring", "http", "https", "grpc", "secure")
        }
        command = istiod_command(context, container, ports)
        log = self._settings.logs / "istiod.log"
        self._processes.start(NAME, command.argv, log, {**command.env, "ISTIOD_CUSTOM_HOST": "localhost"}, folder)
        self._uid = pod["metadata"]["uid"]
        LOGGER.info("istiod started for pod %s", pod["metadata"]["name"])
