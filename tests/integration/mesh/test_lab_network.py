"""The lab gives an address to the next pod soon, and who knew the owner before reaches the new one at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab import network
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings

if os.geteuid() != 0:
    pytest.skip("the pod network needs root", allow_module_level=True)

# At the end of the lab's range, where it gives none to a pod.
CLIENT, SERVER = 0x7F01, 0x7F02
PORT = 8123
# An ARP table that is not corrected keeps the owner before for 20 to 40 s.
SECONDS = 5
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()"

Pod = Callable[[Settings, str], AbstractContextManager[str]]


@contextmanager
def in_a_namespace(settings: Settings, address: str) -> Iterator[str]:
    name = f"test-network-{address}"
    network.create_namespace(settings, name, address)
    try:
        yield name
    finally:
        network.delete_namespace(name)


@contextmanager
def on_the_host(settings: Settings, address: str) -> Iterator[str]:
    """As istiod's pod."""
    network.add_host_address(settings, address)
    try:
        yield ""
    finally:
        network.delete_host_address(settings, address)


@contextmanager
def served(pod: str, address: str) -> Iterator[None]:
    argv = [*inside(pod), sys.executable, "-m", "http.server", "--bind", address, str(PORT)]
    server = subprocess.Popen(argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while connects(pod, address) != 0:
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        server.kill()
        server.wait()


def inside(pod: str) -> list[str]:
    return [network.IP, "netns", "exec", pod] if pod else []


def connects(pod: str, address: str) -> int:
    """0 if the address answers to the pod in time."""
    argv = [*inside(pod), sys.executable, "-c", CONNECT, address, str(PORT), str(SECONDS)]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.fixture
def settings(kubeconfig: str) -> Settings:
    path = Path(kubeconfig).parent / "settings.json"
    if not path.is_file():
        pytest.skip("the cluster is not the lab's")
    return Settings.load(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [(in_a_namespace, in_a_namespace), (on_the_host, in_a_namespace), (in_a_namespace, on_the_host)],
    ids=["pod to pod", "istiod to pod", "pod to istiod"],
)
def test_an_address_that_is_used_again_is_reached_at_once(settings: Settings, before: Pod, after: Pod) -> None:
    address = settings.pod_ip(SERVER)
    with in_a_namespace(settings, settings.pod_ip(CLIENT)) as client:
        with before(settings, address) as pod, served(pod, address):
            assert connects(client, address) == 0
        with after(settings, address) as pod, served(pod, address):
            assert connects(client, address) == 0
