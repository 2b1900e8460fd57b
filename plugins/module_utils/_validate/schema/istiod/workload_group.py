# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""WorkloadGroup, as istiod's admission judges it."""

from __future__ import annotations

import re

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    labels,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import values

_HEADER = re.compile(r"[-A-Za-z0-9]+")
_NUMBERS = ("periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
_METHODS = ("httpGet", "tcpSocket", "exec")


def workload_group(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    labels(faults, ("spec", "metadata", "labels"), (spec.get("metadata") or {}).get("labels"))
    if faults.found:
        # istiod does not check the rest.
        return
    if (probe := spec.get("probe")) is not None:
        _probe(faults, ("spec", "probe"), probe)


def _probe(faults: Faults, path: Path, probe: Object) -> None:
    for field in _NUMBERS:
        if (probe.get(field) or 0) < 0:
            faults.error((*path, field), f"{probe[field]} is less than 0")
    method = next((name for name in _METHODS if probe.get(name) is not None), "")
    if not method:
        faults.error(path, f"the probe has no method: set one of {', '.join(_METHODS)}")
        return
    wanted: Object = probe[method]
    where = (*path, method)
    if method == "exec":
        if not wanted.get("command"):
            faults.error((*where, "command"), "the command is missing")
        return
    faults.error((*where, "port"), values.bad_port(wanted.get("port") or 0))
    if method == "httpGet":
        if wanted.get("scheme") not in (None, "", "HTTP", "HTTPS"):
            faults.error((*where, "scheme"), f"{wanted['scheme']!r} is neither HTTP nor HTTPS")
        for index, header in enumerate(some(wanted.get("httpHeaders"))):
            name = header.get("name") or ""
            if not _HEADER.fullmatch(name):
                faults.error((*where, "httpHeaders", index, "name"), f"{name!r} is not a valid header name for a probe")
