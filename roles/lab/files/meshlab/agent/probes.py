"""Startup, readiness and liveness probes, on a kubelet's terms: delay, period, thresholds."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass
class Probe:
    """One probe of one container. ``passing`` stays None until it has decided for the first time."""

    spec: Object
    next_at: float
    passing: bool | None = None
    successes: int = 0
    failures: int = 0

    @classmethod
    def of(cls, spec: Object | None, now: float) -> Probe | None:
        """A probe that starts after its initial delay, or None where the container has none."""
        return None if not spec else cls(spec, now + spec.get("initialDelaySeconds", 0))

    def run(self, now: float, address: str, ports: dict[str, int]) -> None:
        """Probe if it is time to."""
        if now < self.next_at:
            return
        # A kubelet would wait out its period; a lab that asks every second until the first success is up sooner.
        self.next_at = now + (max(1, self.spec.get("periodSeconds", 10)) if self.passing else 1)
        if check(self.spec, address, ports):
            self.successes, self.failures = self.successes + 1, 0
            if self.successes >= self.spec.get("successThreshold", 1):
                self.passing = True
        else:
            self.successes, self.failures = 0, self.failures + 1
            if self.failures >= self.spec.get("failureThreshold", 3) or self.passing is None:
                self.passing = False

    @property
    def exhausted(self) -> bool:
        """Whether it has failed as often in a row as its threshold allows."""
        return bool(self.failures >= self.spec.get("failureThreshold", 3))


def check(spec: Object, address: str, ports: dict[str, int]) -> bool:
    """One attempt. An exec probe passes: there is no container image here to execute anything from."""
    timeout = max(1, spec.get("timeoutSeconds", 1))
    if "httpGet" in spec:
        return _http(spec["httpGet"], address, ports, timeout)
    if "tcpSocket" in spec:
        try:
            with socket.create_connection((address, _port(spec["tcpSocket"]["port"], ports)), timeout):
                return True
        except OSError:
            return False
    return True


def _http(spec: Object, address: str, ports: dict[str, int], timeout: float) -> bool:
    headers = {header["name"]: header["value"] for header in spec.get("httpHeaders", [])}
    connection = http.client.HTTPConnection(spec.get("host") or address, _port(spec["port"], ports), timeout=timeout)
    try:
        connection.request("GET", spec.get("path", "/"), headers={"User-Agent": "kube-probe/lab", **headers})
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _port(port: int | str, ports: dict[str, int]) -> int:
    return ports[port] if isinstance(port, str) and port in ports else int(port)
