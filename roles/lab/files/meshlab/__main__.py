"""The lab's verbs, each called by a playbook: see the role ``lab``. Results go to standard output as JSON."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from . import cleanup, faults, infra, lifecycle, ports, tools
from .agent.loopback import LoopbackIstiod
from .agent.watch import Agent
from .forward import Forwarder
from .node import door, mounts, registry
from .node.layout import Node
from .settings import Settings


def main() -> int:
    """Parse, do, report."""
    parser = argparse.ArgumentParser(prog="meshlab")
    parser.add_argument("--settings", help="the lab's settings.json")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in (
        "up",
        "down",
        "status",
        "agent",
        "forward",
        "infra",
        "ports",
        "node-enter",
        "node-api",
        "node-registry",
    ):
        verbs.add_parser(verb)
    plan = verbs.add_parser("plan")
    plan.add_argument("cache", type=Path)
    plan.add_argument("--real-node", action="store_true")
    plan.add_argument("--app", action="append", default=[], help="whose pods the real node runs")
    build = verbs.add_parser("build")
    build.add_argument("name")
    build.add_argument("cache", type=Path)
    fault = verbs.add_parser("fault")
    fault.add_argument("fault", type=json.loads)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        result = _run(arguments)
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


def _run(arguments: argparse.Namespace) -> object:
    if arguments.verb == "plan":
        return {
            "tools": tools.plan(arguments.cache, arguments.real_node, arguments.app),
            "istio_charts": str(tools.istio_charts(arguments.cache)),
        }
    if arguments.verb == "build":
        return tools.build_tool(arguments.name, arguments.cache)
    settings = Settings.load(arguments.settings)
    if arguments.verb == "agent":
        (Agent if settings.pod_network else LoopbackIstiod)(settings).run()
    if arguments.verb == "forward":
        Forwarder(settings).run()
    actions: dict[str, Callable[[Settings], object]] = {
        "infra": infra.run,
        "node-enter": lambda s: mounts.enter(Node(s)),
        "node-api": door.run,
        "node-registry": registry.run,
        "ports": ports.taken,
        "up": lifecycle.up,
        "down": cleanup.end_all,
        "status": lifecycle.status,
        "fault": lambda s: faults.apply(s, arguments.fault),
    }
    return actions[arguments.verb](settings)


if __name__ == "__main__":
    sys.exit(main())
