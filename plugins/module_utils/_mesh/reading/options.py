# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The input of a validation, as modules take it: their options, and what is read for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.collector import collector_paused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    GATEWAY_CHANNEL,
    GATEWAY_VERSION,
    GUIDED,
    ISTIO_VERSION,
    NEVER_TOGETHER,
    NOT_READ,
    OWN_VALUES,
    REPLACED,
    SCRIPTED_LABELS,
    TARGET_VERSION,
    Settings,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import ChartInput, Reader
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import UNKNOWN_CONTENT, Loaded
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import KINDS, Resource

if TYPE_CHECKING:
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import AnyCluster
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import Unread

_CHART: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "name": {"type": "str", "default": "release"},
    "namespace": {"type": "str", "default": "default"},
    "values": {"type": "dict", "default": {}},
    "values_files": {"type": "list", "elements": "str", "default": []},
}
# Option -> fact of Settings.
_VERSIONS = (
    ("istio_version", ISTIO_VERSION),
    ("target_version", TARGET_VERSION),
    ("gateway_api_version", GATEWAY_VERSION),
)
# For an argument spec; the doc fragment _validate_input describes them.
INPUT_OPTIONS: dict[str, Any] = {
    "paths": {"type": "list", "elements": "str", "default": []},
    "content": {"type": "str"},
    "chart": {"type": "dict", "options": _CHART},
    "base": {"type": "path"},
    "allow_empty": {"type": "bool", "default": False},
    "live": {"type": "bool", "default": False},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "default_namespace": {"type": "str", "default": "default"},
    "mesh_config": {"type": "dict"},
    "cluster_domain": {"type": "str", "default": "cluster.local"},
    "trust_domain": {"type": "str", "default": "cluster.local"},
    "helm_binary": {"type": "str", "default": "helm"},
    "kustomize_binary": {"type": "str", "default": "kustomize"},
    "kustomize_enable_helm": {"type": "bool", "default": False},
}


class Input(NamedTuple):
    """files: the contents of files, texts and charts. live: the cluster's objects.

    unread: kinds that the cluster did not return completely. notes: about these, and whether istiod could be asked.
    """

    files: Loaded
    file_count: int
    live: list[Resource]
    settings: Settings
    unread: list[Unread]
    notes: list[str]


def start_at(base: str | None) -> None:
    """Make it the folder from which the relative paths of all options start. Raises InputError."""
    if not base:
        return
    try:
        os.chdir(base)
    except OSError as error:
        raise InputError(f"base: {base}: {error.strerror}. Name an existing folder.") from error


def read_input(params: Mapping[str, Any], connect: Callable[[], AnyCluster], now: float) -> Input:
    """``connect`` is called only if the cluster is read. Raises InputError and ApiFailure."""
    if not (params["paths"] or params["content"] is not None or params["chart"] or params["live"]):
        raise InputError("There is no input. Set paths, content or chart, or live: true.")
    notes: list[str] = []
    facts: dict[str, Any] = {}
    live = None
    with collector_paused():
        reader = _read_files(params)
        _require_objects(params, reader)
        facts[NOT_READ] = _not_read(reader.loaded)
        facts[GUIDED] = reader.loaded.guided
        facts[REPLACED] = reader.loaded.replaced
        facts[OWN_VALUES] = reader.loaded.with_own_values
        folders = [path for path in map(os.path.expanduser, params["paths"]) if os.path.isdir(path)]
        facts[SCRIPTED_LABELS] = cache(partial(_scripted_labels, folders))
        facts[NEVER_TOGETHER] = cache(partial(_never_together, folders))
        if params["live"]:
            # Here, because what speaks to a cluster takes longer to import than a file to validate.
            from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.cluster import read_cluster

            live = read_cluster(connect(), params, facts, notes)
    settings = Settings(
        root_namespace=params["istio_namespace"],
        cluster_domain=params["cluster_domain"],
        trust_domain=params["trust_domain"],
        listed=frozenset(live.listed if live else ()),
        mesh_config=params["mesh_config"],
        now=now,
        facts=facts,
    )
    found = (live.resources, live.unread) if live else ([], [])
    return Input(reader.loaded, reader.files, found[0], settings, found[1], notes)


def _scripted_labels(folders: Sequence[str]) -> list[tuple[str, Mapping[str, str]]]:
    # Here and below, since few findings depend on what scripts do.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.scripts import scripted_labels

    return scripted_labels(folders)


def _never_together(folders: Sequence[str], files: frozenset[str]) -> set[tuple[str, str]]:
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.scripts import never_together
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.skaffold import apart_by_skaffold

    return never_together(folders, files) | apart_by_skaffold(folders, files)


def _not_read(loaded: Loaded) -> list[str]:
    return sorted({item.resource.source.file for item in loaded.findings if item.rule in UNKNOWN_CONTENT})


def stated_versions(params: Mapping[str, Any]) -> dict[str, str]:
    """The facts of Settings that the options give: the versions, and gateway_api_channel.

    Raises InputError if one of them is not a version, or if target_version is older than istio_version.
    """
    facts = {}
    for option, fact in _VERSIONS:
        if version := params[option]:
            if minor_of(version) is None:
                raise InputError(f"{option}: '{version}' is not a valid version. Write it as '1.31' or '1.31.1'.")
            facts[fact] = version
    source, target = (minor_of(facts.get(fact)) for fact in (ISTIO_VERSION, TARGET_VERSION))
    if source and target and target < source:
        raise InputError(
            f"target_version: '{facts[TARGET_VERSION]}' is older than istio_version '{facts[ISTIO_VERSION]}'. "
            "Name the version after the upgrade."
        )
    if channel := params["gateway_api_channel"]:
        facts[GATEWAY_CHANNEL] = channel
    return facts


def _read_files(params: Mapping[str, Any]) -> Reader:
    programs = (params["helm_binary"], params["kustomize_binary"])
    enable_helm = params["kustomize_enable_helm"]
    reader = Reader(params["default_namespace"], "", *programs, kustomize_enable_helm=enable_helm)
    reader.read(params["paths"])
    if params["content"] is not None:
        reader.content(params["content"])
    if params["chart"]:
        chart = params["chart"]
        files = tuple(chart["values_files"])
        reader.chart(ChartInput(chart["path"], chart["name"], chart["namespace"], chart["values"], files))
    return reader


def _require_objects(params: Mapping[str, Any], reader: Reader) -> None:
    """Raises InputError if there is input, but nothing in it that any check knows."""
    given = [f"'{path}'" for path in params["paths"]]
    given += ["content"] if params["content"] is not None else []
    given += [f"chart '{params['chart']['path']}'"] if params["chart"] else []
    # Unreadable input is already a finding; the hint at a template is not.
    is_unreadable = any(finding.severity != "info" for finding in reader.loaded.findings)
    if not given or params["allow_empty"] or is_unreadable:
        return
    policy = params.get("policy") or {}
    # Custom checks may look at anything.
    known = None if policy.get("cel") or policy.get("python") else KINDS
    if any(known is None or resource.kind in known for resource in reader.loaded.resources):
        return
    files = f"{reader.files} file{'' if reader.files == 1 else 's'}"
    raise InputError(
        f"paths: the checks know no object in {files} of {', '.join(given)}. Name files with the mesh's configuration, "
        "or set allow_empty if there may be none."
    )
