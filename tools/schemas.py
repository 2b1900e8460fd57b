# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the schemas that mesh_validate knows, from CustomResourceDefinitions.

    python tools/schemas.py istio 1.31=~/.kube/config 1.32=istio.io/api@v1.32.0/kubernetes
    python tools/schemas.py gateway 1.6=sigs.k8s.io/gateway-api@v1.6.3/config/crd/experimental \\
        1.6-standard=sigs.k8s.io/gateway-api@v1.6.3/config/crd/standard

A release is named NAME=SOURCE: a file of CRDs, a folder of such files, the kubeconfig of a cluster that has them, or a
folder of a Go module, which `go mod download` gets. store.py says how releases are named. Releases that are in the data
already and are not named stay; --remove 1.5 takes one out.

The data is Python modules, because Ansible ships nothing else with a module: the nodes of all schemas, each kept once
(v1 and v1beta1 of a kind are mostly the same), as JSON, compressed. The same input gives the same bytes on the same
Python and zlib. Descriptions and status are left out.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store

Schema = dict[str, Any]
GROUPS = {"istio": r".*\.istio\.io", "gateway": r"gateway\.networking\.k8s\.io"}
FOLDER = ROOT / "plugins/module_utils/_validate/schema"
# Keywords that restrict a value. The rest is for people, or for the API server's own bookkeeping.
KEPT = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "nullable",
    "required",
    "default",
)


def folder_of(source: str) -> Path:
    """Where the source is stored on this machine; a Go module is downloaded first."""
    found = re.fullmatch(r"([\w./-]+@v[\w.-]+)(/.*)", source)
    if not found:
        return Path(source).expanduser()
    # A module that wants a newer Go is unpacked all the same, only the command ends with an error.
    subprocess.run(["go", "mod", "download", found[1]], check=False)  # noqa: S607
    cache = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True)  # noqa: S607
    return Path(cache.stdout.strip() + "/" + found[1] + found[2])


def definitions(source: Path) -> Iterator[dict[str, Any]]:
    """CustomResourceDefinitions of a file, a folder or a cluster."""
    files = sorted(source.rglob("*.y*ml")) if source.is_dir() else [source]
    for file in files:
        for document in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if not isinstance(document, dict):
                continue
            if document.get("kind") == "Config":
                yield from of_cluster(source)
            elif document.get("kind") == "CustomResourceDefinition":
                yield document


def of_cluster(kubeconfig: Path) -> list[dict[str, Any]]:
    from kubernetes import client, config

    api = client.CustomObjectsApi(config.new_client_from_config(str(kubeconfig)))
    found = api.list_cluster_custom_object("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    items: list[dict[str, Any]] = found["items"]
    return items


def compact(schema: Schema) -> Schema:
    """The schema with what is checked only: see store.py for the keywords."""
    node: Schema = {key: schema[key] for key in KEPT if key in schema}
    if "required" in node:
        node["required"] = sorted(node["required"])
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        node["open"] = True
    if schema.get("x-kubernetes-int-or-string"):
        node["type"] = "intOrString"
    elif combined := {key: schema[key] for key in ("oneOf", "anyOf", "allOf", "not") if key in schema}:
        node.update(exclusive(combined))
    if schema.get("x-kubernetes-list-type") == "map":
        node["keys"] = sorted(schema["x-kubernetes-list-map-keys"])
    elif schema.get("x-kubernetes-list-type") == "set":
        node["set"] = True
    if rules := schema.get("x-kubernetes-validations"):
        node["rules"] = [
            [" ".join(rule["rule"].split()), rule.get("message", "")] for rule in rules if "oldSelf" not in rule["rule"]
        ]
    if "properties" in schema:
        node["properties"] = {name: compact(field) for name, field in sorted(schema["properties"].items())}
    if isinstance(schema.get("additionalProperties"), dict):
        node["additionalProperties"] = compact(schema["additionalProperties"])
    if "items" in schema:
        node["items"] = compact(schema["items"])
    return node


def exclusive(combined: Schema) -> Schema:
    """A oneof of protobuf comes as oneOf of [none of them, the first, the second ...]: a list of names is enough."""
    every = combined.pop("allOf", [])
    groups = [names for part in [combined, *every] if len(names := names_of_oneof(part)) > 1]
    rest = {} if names_of_oneof(combined) else dict(combined)
    if unread := [part for part in every if not names_of_oneof(part)]:
        rest["allOf"] = unread
    return {**({"exclusive": groups} if groups else {}), **rest}


def names_of_oneof(part: Schema) -> list[str]:
    alternatives = part.get("oneOf", [])
    names = [choice["required"][0] for choice in alternatives if set(choice) == {"required"}]
    one_of_them = [{"required": [name]} for name in names]
    wanted = {"oneOf": [{"not": {"anyOf": one_of_them}}, *one_of_them]}
    return names if part == wanted else []


def kinds_of(source: Path, group: str) -> dict[str, Schema]:
    """Schemas by ``group/Kind/version``, of served versions."""
    found: dict[str, Schema] = {}
    for definition in definitions(source):
        spec = definition["spec"]
        if not re.fullmatch(group, spec["group"]):
            continue
        for version in spec["versions"]:
            if not version["served"]:
                continue
            root = dict(version["schema"]["openAPIV3Schema"])
            fields = root.get("properties", {})
            root["properties"] = {key: value for key, value in fields.items() if key in ("spec", "rules")}
            name = f"{spec['group']}/{spec['names']['kind']}/{version['name']}"
            found[name] = {**compact(root), "scope": spec["scope"]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=sorted(GROUPS))
    parser.add_argument("releases", nargs="*", metavar="NAME=SOURCE")
    parser.add_argument("--remove", action="append", default=[], metavar="NAME")
    arguments = parser.parse_args()
    releases = {name: kinds for name, kinds in store.expanded(arguments.family).items() if name not in arguments.remove}
    for text in arguments.releases:
        name, _equals, source = text.partition("=")
        releases[name] = kinds_of(folder_of(source), GROUPS[arguments.family])
        if not releases[name]:
            sys.exit(f"{source} has no CustomResourceDefinition of {arguments.family}")
    written = store.modules(arguments.family, releases)
    for stale in FOLDER.glob(f"data_{arguments.family}*.py"):
        if stale.name not in written:
            stale.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text)
        print(f"{name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
