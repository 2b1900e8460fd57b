# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""WorkloadGroup, as istiod's admission judges it."""

from __future__ import annotations

import re

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Say, labels, some

_HEADER = re.compile(r"[-A-Za-z0-9]+")
_NUMBERS = ("periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
_METHODS = ("httpGet", "tcpSocket", "exec")


def workload_group(resource: Resource, say: Say) -> None:
    spec = resource.spec
    labels(say, ("spec", "metadata", "labels"), (spec.get("metadata") or {}).get("labels"))
    if say.faults:
        # istiod does not look at the rest.
        return
    if (probe := spec.get("probe")) is not None:
        _probe(say, ("spec", "probe"), probe)


def _probe(say: Say, path: Path, probe: Object) -> None:
    for field in _NUMBERS:
        if (probe.get(field) or 0) < 0:
            say.refused((*path, field), f"{probe[field]} is less than 0")
    method = next((name for name in _METHODS if probe.get(name) is not None), "")
    if not method:
        say.refused(path, f"the probe does nothing that istiod knows: one of {', '.join(_METHODS)} is needed")
        return
    wanted: Object = probe[method]
    where = (*path, method)
    if method == "exec":
        if not wanted.get("command"):
            say.refused((*where, "command"), "there is no command")
        return
    say.refused((*where, "port"), values.bad_port(wanted.get("port") or 0))
    if method == "httpGet":
        if wanted.get("scheme") not in (None, "", "HTTP", "HTTPS"):
            say.refused((*where, "scheme"), f"{wanted['scheme']!r} is neither HTTP nor HTTPS")
        for index, header in enumerate(some(wanted.get("httpHeaders"))):
            name = header.get("name") or ""
            if not _HEADER.fullmatch(name):
                say.refused((*where, "httpHeaders", index, "name"), f"{name!r} is no name of a header of a probe")
