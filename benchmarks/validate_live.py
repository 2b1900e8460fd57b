# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_validate beside `istioctl analyze -A` on the same running API server: time, memory, planted faults found.

    python benchmarks/validate_live.py [--services 2000] [--runs 5] [--tools .lab/tools.json]

Starts an API server of its own from the programs that `make up` has built, fills it, and measures whole processes in
turn: istioctl, and module mesh_validate with `live: true`, run by itself without Ansible in front. Nothing else runs in
the cluster: pods and endpoints are objects as controllers leave them, no istiod answers, no kubelet writes. CPU seconds
and memory are those of the two programs; the API server's work is in the wall-clock time of both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from generated_mesh import Fault, mesh, planted, running
from validate_api_server import api_server
from validate_measuring import (
    HEADER,
    Run,
    found_by_istioctl,
    found_by_us,
    how,
    measured,
    ratio,
    row,
    with_compiled_modules,
)

CHECKOUT = Path(__file__).resolve().parents[1]
MODULE = "ansible_collections.corpv3.service_mesh.plugins.modules.mesh_validate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tools", type=Path, default=CHECKOUT / ".lab/tools.json")
    options = parser.parse_args()
    tools = json.loads(options.tools.read_text())
    print(how(options.runs))
    with tempfile.TemporaryDirectory() as folder, api_server(tools, Path(folder)) as server:
        begin = time.monotonic()
        server.fill(documents(min(options.services, 50), namespaces=True))
        server.fill(documents(options.services, namespaces=False))
        server.fill(running(options.services))
        print(f"the API server was filled in {time.monotonic() - begin:.0f} s\n{HEADER}")
        compare(options.services, options.runs, str(server.kubeconfig), tools["istioctl"], f"{folder}/compiled")


def documents(services: int, *, namespaces: bool) -> Iterator[dict[str, Any]]:
    """The Namespaces of the mesh, or all the rest."""
    for document in mesh(services):
        obj: dict[str, Any] = yaml.load(document, Loader=yaml.CSafeLoader)
        if (obj["kind"] == "Namespace") == namespaces:
            yield obj


def kept(faults: list[Fault]) -> list[Fault]:
    """Without unknown fields: the API server does not keep them, so they cannot be found there."""
    return [fault for fault in faults if "MESH101" not in fault.codes]


def compare(services: int, runs: int, kubeconfig: str, istioctl: str, compiled: str) -> None:
    arguments = {"ANSIBLE_MODULE_ARGS": {"live": True, "kubeconfig": kubeconfig, "fail_on": "never"}}
    environment = {**with_compiled_modules(compiled), "PYTHONPATH": str(CHECKOUT / ".ansible/collections")}
    ours = ([sys.executable, "-m", MODULE], environment, json.dumps(arguments))
    theirs = ([istioctl, "analyze", "-A", "-o", "json", "--kubeconfig", kubeconfig], dict(os.environ), "")
    programs = {"mesh_validate": ours, "istioctl": theirs}
    results: dict[str, list[Run]] = {program: [] for program in programs}
    for turn in range(runs + 1):
        for program, call in programs.items():
            run = measured(*call)
            if turn:
                results[program].append(run)
    faults = kept(planted(services))
    answer = json.loads(results["mesh_validate"][-1].output)
    hits = {
        "mesh_validate": found_by_us(answer["findings"], faults),
        "istioctl": found_by_istioctl(results["istioctl"][-1].output, faults),
    }
    for program, done in results.items():
        print(row(services, program, done, f"{hits[program]} of {len(faults)}"))
    print(ratio(results["mesh_validate"], results["istioctl"]))
    notes = "; ".join(answer["notes"])
    print(f"objects: {answer['summary']['objects']}; mesh_validate's notes: {notes or 'none'}")


if __name__ == "__main__":
    main()
