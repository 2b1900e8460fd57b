"""site.yml beside the previous code and beside the design document's shell steps, in turns, on a lab of `make up`.

    python benchmarks/site.py [--runs 5] [--against CHECKOUT [--against-lab FOLDER]] [--from-empty] [--no-shell]
        [ansible-playbook arguments]

- ours: site.yml of this checkout where nothing needs a change; with --from-empty, on a lab that uninstall.yml emptied.
- against: the same of another checkout, by its .venv if it has one, else by this one's. It needs the collection's link
  (`make setup`), and either a link .lab to the lab or, where its charts are others, a lab of its own, whose folder is
  given.
- shell: the document's pipeline for the same releases with the same charts and values: helm upgrade --install of each,
  kubectl label, apply (as a dry run, for the objects are the chart's here), wait, rollout status and get, curl. Left
  out are the downloads of Istio and of indexes of repositories; istioctl install is the releases of Istio's charts.

Each turn runs each of them once, after one turn that is not counted. Prints wall-clock and CPU seconds (of the
processes that were started here, not of the lab) as minimum, median and maximum, and the ratios of this checkout to the
others, turn by turn. Ends with 1 where a run fails, or changes what it should not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / ".lab"
ISTIO, APPLICATION = "istio-system", "restaurant-management"
# Of the gateway's first host.
HOST = "restaurant.corpv3.com"
UNINSTALL = ("istio_uninstall_crds", "istio_uninstall_namespace", "restaurant_app_uninstall_namespace")


class Seconds(NamedTuple):
    wall: float
    cpu: float


def measured(command: list[str], **options: Any) -> tuple[Seconds, str]:
    """The time of the command with all its processes, and its output. Ends the benchmark where it fails."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout[-3000:]}")
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout


def playbook(checkout: Path, name: str, arguments: Iterable[str]) -> tuple[Seconds, str]:
    """One run of a checkout's playbook on the lab."""
    programs = next(venv for venv in (checkout / ".venv/bin", ROOT / ".venv/bin") if venv.is_dir())
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(programs / "ansible-playbook"), f"playbooks/{name}.yml", "-i", "inventories/lab", *arguments]
    return measured(command, cwd=checkout, env=environment)


def site(checkout: Path, arguments: list[str], from_empty: bool) -> Seconds:
    """One run of site.yml."""
    if from_empty:
        playbook(checkout, "uninstall", [*arguments, "-e", json.dumps(dict.fromkeys(UNINSTALL, True))])
    seconds, said = playbook(checkout, "site", arguments)
    changes = sum(int(number) for number in re.findall(r"changed=(\d+) ", said))
    if bool(changes) != from_empty:
        sys.exit(f"site.yml of {checkout} changed {changes} times:\n{said[-3000:]}")
    return seconds


def tool(name: str) -> str:
    """Path of one of the lab's programs."""
    return str(json.loads((LAB / "tools.json").read_text())[name])


def charts() -> dict[str, Path]:
    """The lab's charts by the names and versions that helm shows."""
    found = {}
    for root in (ROOT / "tests/charts", ROOT / "roles", Path(tool("istio_charts"))):
        for path in root.rglob("Chart.yaml"):
            about = yaml.safe_load(path.read_text())
            found[f"{about['name']}-{about['version']}"] = path.parent
    return found


def asked(*command: str) -> Any:
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


class Release(NamedTuple):
    name: str
    namespace: str
    chart: Path
    values: Path


def releases(folder: Path) -> list[Release]:
    """What is installed, in the order in which it was; its values are written into the folder."""
    known, helm = charts(), tool("helm")
    result = []
    for entry in sorted(asked(helm, "list", "-A", "-o", "json"), key=lambda found: found["updated"]):
        values = folder / f"{entry['name']}.json"
        values.write_text(
            json.dumps(asked(helm, "get", "values", entry["name"], "-n", entry["namespace"], "-o", "json"))
        )
        result.append(Release(entry["name"], entry["namespace"], known[entry["chart"]], values))
    return result


def shell_steps(found: list[Release], folder: Path) -> str:
    """The document's pipeline as one script."""
    helm, kubectl = shlex.quote(tool("helm")), shlex.quote(tool("kubectl"))

    def upgrade(release: Release) -> str:
        return (
            f"{helm} upgrade --install {release.name} {shlex.quote(str(release.chart))} -n {release.namespace} "
            f"--create-namespace -f {shlex.quote(str(release.values))}"
        )

    def apply(kind: str) -> str:
        listed = asked(tool("kubectl"), "get", kind, "-n", APPLICATION, "-o", "json")
        (folder / f"{kind}.json").write_text(json.dumps(listed))
        return f"{kubectl} apply --dry-run=server -n {APPLICATION} -f {shlex.quote(str(folder / f'{kind}.json'))}"

    def wait(labels: str) -> str:
        return f"{kubectl} wait --for=condition=ready pod -l {labels} -n {ISTIO} --timeout=300s"

    istio = [release for release in found if release.name.startswith("istio")]
    application = [release for release in found if release.namespace == APPLICATION]
    others = [release for release in found if release not in (*istio, *application)]
    pods = f"{kubectl} get pods -n {APPLICATION}"
    return "\n".join(
        [
            "set -euo pipefail",
            *map(upgrade, istio),
            f"{kubectl} get pods -n {ISTIO}",
            wait("app=istiod"),
            *map(upgrade, others),
            wait("app.kubernetes.io/name=prometheus"),
            wait("app.kubernetes.io/name=grafana"),
            wait("app=kiali"),
            f"{kubectl} label namespace {APPLICATION} istio-injection=enabled --overwrite",
            *map(upgrade, application),
            *map(apply, ("virtualservices", "destinationrules", "gateways.networking.istio.io")),
            f"{kubectl} rollout status deployment/api-gateway -n {APPLICATION} --timeout=300s",
            f"{kubectl} rollout status deployment/order-service -n {APPLICATION} --timeout=300s",
            pods,
            f"{pods} -o jsonpath='{{.items[*].spec.containers[*].name}} {{.items[*].spec.initContainers[*].name}}' "
            "| grep -c istio-proxy",
            f"{kubectl} get svc -n {ISTIO}",
            f"curl -sf -H 'Host: {HOST}' http://127.0.0.1:8080/health",
            f"curl -sf -H 'Host: {HOST}' http://127.0.0.1:8080/api/v1/health",
            """curl -s 'http://127.0.0.1:9090/api/v1/query?query=up' | grep -c '"status":"success"'""",
        ]
    )


def spread(values: Iterable[float]) -> str:
    """Least, median and most."""
    found = sorted(values)
    return f"min {found[0]:7.2f}  median {statistics.median(found):7.2f}  max {found[-1]:7.2f}"


def report(columns: dict[str, list[Seconds]]) -> None:
    """Each way's seconds, and what ours are of the others'."""
    for figure in ("wall", "cpu"):
        seconds = {name: [getattr(row, figure) for row in rows] for name, rows in columns.items()}
        for name, values in seconds.items():
            print(f"{figure:4} {name:14} {spread(values)} s")
        for name in [*seconds][1:]:
            ratios = (mine / other for mine, other in zip(seconds["ours"], seconds[name], strict=True))
            print(f"{figure:4} ours / {name:7} {spread(ratios)}")


def main() -> None:
    """Warm up once, then measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", type=Path, help="a checkout of the code to compare with")
    parser.add_argument("--against-lab", type=Path, metavar="FOLDER", help="its own lab, where its charts are others")
    parser.add_argument("--from-empty", action="store_true", help="empty the lab before each run of site.yml")
    parser.add_argument("--no-shell", action="store_true", help="leave the document's shell steps out")
    options, arguments = parser.parse_known_args()
    if not (LAB / "kubeconfig").is_file():
        sys.exit(f"There is no kubeconfig in {LAB}: bring up a lab with `make up`.")
    os.environ["KUBECONFIG"] = str(LAB / "kubeconfig")
    ways: dict[str, Callable[[], Seconds]] = {"ours": lambda: site(ROOT, arguments, options.from_empty)}
    if options.against:
        checkout, theirs = options.against.resolve(), [*arguments]
        if options.against_lab:
            lab = json.loads((options.against_lab / "settings.json").read_text())
            theirs += ["-e", json.dumps({"lab_name": lab["name"], "lab_port_offset": lab["port_offset"]})]
        ways["against"] = lambda: site(checkout, theirs, options.from_empty)
    with tempfile.TemporaryDirectory() as folder:
        if not options.no_shell and not options.from_empty:
            script = Path(folder) / "steps.sh"
            script.write_text(shell_steps(releases(Path(folder)), Path(folder)))
            ways["shell"] = lambda: measured(["bash", str(script)])[0]
        turns = [{name: run() for name, run in ways.items()} for __ in range(options.runs + 1)][1:]
    kind = "from an empty lab" if options.from_empty else "without change"
    print(f"{options.runs} turns {kind}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    report({name: [turn[name] for turn in turns] for name in ways})


if __name__ == "__main__":
    main()
