"""The stand-in in a container: who it is comes from its image (the service) and its host name (the pod)."""

import asyncio
import os
import socket
import sys

from standin import PORTS, StandIn  # type: ignore[import-not-found]

FRONTEND_PORT = 8080
FAULTS = "/run/meshlab/faults.json"


def identity(service: str, pod: str) -> dict[str, object]:
    """A Deployment's pod is called SERVICE-REPLICASET-POD, that of a further version SERVICE-VERSION-REPLICASET-POD."""
    workload = pod.rsplit("-", 2)[0]
    version = workload.removeprefix(service).lstrip("-") or "v1"
    return {
        "port": int(os.environ.get("PORT") or PORTS.get(service, FRONTEND_PORT)),
        "service": service,
        "version": version,
        "pod": pod,
        "faults": FAULTS,
    }


if __name__ == "__main__":
    asyncio.run(StandIn(identity(sys.argv[1], socket.gethostname())).serve())
