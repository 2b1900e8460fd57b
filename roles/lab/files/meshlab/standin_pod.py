"""The stand-in in a container: who it is comes from its image (the service) and its host name (the pod)."""

import asyncio
import functools
import os
import socket
import sys
from collections.abc import Callable

from standin import PORTS, StandIn  # type: ignore[import-not-found]

FRONTEND_PORT = 8080
FAULTS = "/run/meshlab/faults.json"
# Of the image: the clients of the databases.
PACKAGES = "/app/packages"


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


def keeper(service: str) -> Callable[[float, str], int] | None:
    """Puts orders into the databases that the environment names, of the service that takes orders."""
    if service != "order-service" or "DATABASE_HOST" not in os.environ:
        return None
    sys.path.append(PACKAGES)
    # These clients take a third of a second to import, which no other pod needs.
    from standin_store import keep  # type: ignore[import-not-found]

    return functools.partial(keep, service)


if __name__ == "__main__":
    asyncio.run(StandIn(identity(sys.argv[1], socket.gethostname()), keeper(sys.argv[1])).serve())
