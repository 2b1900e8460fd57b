"""The databases' pods on a lab's real node."""

from __future__ import annotations

import base64
from typing import Any

from .real_node import RealLab

NAMESPACE = "database"


def sized(cpu: str) -> dict[str, Any]:
    """Variables of site.yml: all servers on one node, which has the machine's two CPUs. ``cpu``: each one's request."""
    resources = {"requests": {"cpu": cpu, "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "768Mi"}}
    return {
        "database_postgresql_anti_affinity": "preferred",
        **{f"database_{server}_resources": resources for server in ("postgresql", "redis", "rabbitmq")},
    }


def sql(lab: RealLab, server: int, *statements: str, check: bool = True) -> str:
    """Each statement in a transaction of its own."""
    command = ["psql", "-h", "/var/run/postgresql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1", "restaurant"]
    for statement in statements:
        command += ["-c", statement]
    return lab.kubectl("-n", NAMESPACE, "exec", f"postgresql-{server}", "--", *command, check=check).strip()


def password(lab: RealLab, secret: str, key: str = "password") -> str:
    """Of the databases' own Secrets."""
    return base64.b64decode(lab.get("-n", NAMESPACE, "secret", secret)["data"][key]).decode()
