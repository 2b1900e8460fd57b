"""Keeps the tests' contract charts true to the upstream charts that they stand for.

    contract_charts.py schema  UPSTREAM CONTRACT            write CONTRACT/values.schema.json from UPSTREAM's keys
    contract_charts.py compare UPSTREAM CONTRACT VALUES...  render both, print what differs, end with 1 if anything does

A contract chart is our own: it makes objects with the names, labels, ports, images, volumes and resources of the
upstream chart, and refuses every key that the upstream chart does not know. UPSTREAM is a folder with the real chart,
its subcharts in charts/.

The keys are those of values.yaml and those that templates name as .Values.a.b. A map whose keys are the user's
(templates write all of it, or go over its keys) takes anything. What neither shows is listed in the contract's
Chart.yaml, annotation contract/more-keys.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
ANYTHING: Schema = {}
MORE_KEYS = "contract/more-keys"

_PATH = r"\$?\w*\.Values((?:\.\w+)+)"
_NAMED = re.compile(_PATH)
_OPEN = [
    re.compile(rf"range\s+\$\w+\s*,\s*\$\w+\s*:=\s*{_PATH}"),
    re.compile(rf"(?:toYaml|omit)\s+\(?{_PATH}"),
    re.compile(rf"{_PATH}[^}}]*\|\s*toYaml"),
    re.compile(rf"with\s+{_PATH}\s*-?}}}}(?:(?!end).){{0,160}}?toYaml\s+\.(?!\w)", re.DOTALL),
]
_OPEN_INDEX = re.compile(r'range\s+\$\w+\s*,\s*\$\w+\s*:=\s*index\s+\.Values\s+"([^"]+)"')
_SCALAR = ["string", "number", "boolean", "null"]


def schema_of(chart: Path, more: list[str]) -> Schema:
    """The JSON schema of a chart and its subcharts."""
    file = chart / "values.yaml"
    values = (yaml.safe_load(file.read_text()) if file.exists() else None) or {}
    texts = [path.read_text() for path in sorted((chart / "templates").rglob("*")) if path.is_file()]
    opened = {match[1][1:] for text in texts for pattern in _OPEN for match in pattern.finditer(text)}
    opened |= {match[1] for text in texts for match in _OPEN_INDEX.finditer(text)}
    schema = _schema(values, "", opened)
    for text in texts:
        for match in _NAMED.finditer(text):
            _add(schema, match[1][1:].split("."))
    schema.setdefault("properties", {}).setdefault("global", ANYTHING)
    for sub in sorted((chart / "charts").glob("*/Chart.yaml")):
        name = yaml.safe_load(sub.read_text())["name"]
        inner = schema_of(sub.parent, [])
        # What the parent sets for a subchart is known to it as well.
        inner["properties"] |= {"enabled": {"type": "boolean"}, "global": ANYTHING}
        for key in (values.get(name) or {}).keys() - inner["properties"].keys():
            inner["properties"][key] = ANYTHING
        schema["properties"][name] = inner
    for path in more:
        _add(schema, path.split("."))
    return schema


def _schema(value: Any, path: str, opened: set[str]) -> Schema:
    if isinstance(value, dict):
        if not value or path in opened:
            return {"type": ["object", "null"]}
        properties = {key: _schema(inner, f"{path}.{key}".lstrip("."), opened) for key, inner in value.items()}
        return {"type": ["object", "null"], "additionalProperties": False, "properties": properties}
    if isinstance(value, bool):
        return {"type": ["boolean", "null"]}
    if isinstance(value, list):
        return {"type": ["array", "null"]}
    return ANYTHING if value is None else {"type": _SCALAR}


def _add(schema: Schema, keys: list[str]) -> None:
    """A key that values.yaml does not have, below one that it has."""
    for key in keys:
        properties = schema.get("properties")
        if properties is None:
            return
        if key not in properties:
            properties[key] = {}
            return
        schema = properties[key]


def render(chart: Path, values: list[Path]) -> dict[tuple[str, str], Any]:
    """The objects that helm makes, by kind and name."""
    files = [part for path in values for part in ("--values", str(path))]
    command = [os.environ.get("HELM", "helm"), "template", release_of(chart), str(chart), "--namespace", "trial"]
    done = subprocess.run([*command, "--kube-version", "1.34.0", *files], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{chart} does not render: {done.stderr.strip()}")
    objects = [obj for obj in yaml.safe_load_all(done.stdout) if obj]
    return {
        (obj["kind"], obj["metadata"]["name"]): _contract(obj)
        for obj in objects
        if "helm.sh/hook" not in (obj["metadata"].get("annotations") or {})
    }


def release_of(chart: Path) -> str:
    name = str(yaml.safe_load((chart / "Chart.yaml").read_text())["name"])
    return {"kiali-server": "kiali"}.get(name, name)


def _contract(obj: Any) -> Any:
    """What others rely on: no probes, no arguments, no contents of configuration."""
    spec = obj.get("spec") or {}
    kept: dict[str, Any] = {"labels": obj["metadata"].get("labels") or {}}
    kind = obj["kind"]
    if kind == "Service":
        kept["type"] = spec.get("type", "ClusterIP")
        kept["selector"] = spec.get("selector")
        kept["ports"] = sorted([port.get("name"), port["port"], str(port.get("targetPort"))] for port in spec["ports"])
        kept["scraped"] = (obj["metadata"].get("annotations") or {}).get("prometheus.io/scrape")
    elif kind == "PersistentVolumeClaim":
        kept["claim"] = _claim(spec)
        kept["kept"] = (obj["metadata"].get("annotations") or {}).get("helm.sh/resource-policy")
    elif kind in ("Deployment", "StatefulSet", "DaemonSet"):
        kept |= _workload(spec)
    elif kind == "ConfigMap":
        kept["keys"] = sorted(obj.get("data") or {})
    return kept


def _workload(spec: Any) -> dict[str, Any]:
    pod = spec["template"]["spec"]
    annotations = spec["template"]["metadata"].get("annotations") or {}
    return {
        "replicas": spec.get("replicas"),
        "strategy": (spec.get("strategy") or {}).get("type"),
        "selector": spec["selector"],
        "pod labels": spec["template"]["metadata"].get("labels"),
        "checksums": sorted(key for key in annotations if key.startswith("checksum/")),
        "scraped": {key: str(text) for key, text in annotations.items() if key.startswith("prometheus.io/")},
        "service account": pod.get("serviceAccountName"),
        "containers": {
            container["name"]: {
                "image": container["image"],
                "ports": sorted(
                    str([port.get("name"), port["containerPort"]]) for port in container.get("ports") or ()
                ),
                "resources": container.get("resources") or {},
            }
            for container in (*(pod.get("initContainers") or ()), *pod["containers"])
        },
        "claims": [_claim(claim["spec"]) for claim in spec.get("volumeClaimTemplates") or ()],
        "volumes": sorted(
            str([key, (inner or {}).get("name") or inner.get("claimName") or inner.get("secretName")])
            for volume in pod.get("volumes") or ()
            for key, inner in volume.items()
            if key in ("configMap", "persistentVolumeClaim", "secret")
        ),
    }


def _claim(spec: Any) -> list[Any]:
    return [spec["resources"]["requests"]["storage"], spec.get("storageClassName"), spec["accessModes"]]


def differences(upstream: Any, contract: Any, where: str) -> Iterator[str]:
    if isinstance(upstream, dict) and isinstance(contract, dict):
        for key in sorted(upstream.keys() | contract.keys(), key=str):
            place = f"{where} {'/'.join(key) if isinstance(key, tuple) else key}".strip()
            if key not in contract:
                yield f"{place}: only upstream has it"
            elif key not in upstream:
                yield f"{place}: only the contract has it"
            else:
                yield from differences(upstream[key], contract[key], place)
    elif upstream != contract:
        yield f"{where}: upstream {upstream!r}, contract {contract!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["schema", "compare"])
    parser.add_argument("upstream", type=Path)
    parser.add_argument("contract", type=Path)
    parser.add_argument("values", type=Path, nargs="*")
    options = parser.parse_args()
    about = yaml.safe_load((options.contract / "Chart.yaml").read_text())
    if options.verb == "schema":
        more = str((about.get("annotations") or {}).get(MORE_KEYS, "")).split()
        schema = {"$schema": "https://json-schema.org/draft-07/schema#", **schema_of(options.upstream, more)}
        text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
        (options.contract / "values.schema.json").write_text(f"{text}\n")
        return
    found = list(differences(render(options.upstream, options.values), render(options.contract, options.values), ""))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
