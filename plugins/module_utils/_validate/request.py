# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A validation as its callers state it: the options of module and console program, and what they find by them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import ISTIO_VERSION, TARGET_VERSION
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import Loaded
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.options import (
    INPUT_OPTIONS,
    read_input,
    stated_versions,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import configured, found_file
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.custom import cel_checks, python_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.meshes import places_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import (
    fingerprint,
    policy_of,
    read_baseline,
    suppression_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import notes_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import (
    FORMATS,
    Request,
    Validated,
    is_wanted,
    outcome_of,
    validate,
)

if TYPE_CHECKING:
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import AnyCluster
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import Unread

_POLICY: dict[str, Any] = {
    "levels": {"type": "dict", "default": {}},
    "enable": {"type": "list", "elements": "str", "default": []},
    "python": {"type": "list", "elements": "str", "default": []},
    "cel": {"type": "list", "elements": "dict", "default": []},
}
# For an argument spec; module mesh_validate describes them.
VALIDATE_OPTIONS: dict[str, Any] = {
    **ISTIOD_OPTIONS,
    **INPUT_OPTIONS,
    "live_findings": {"type": "str", "choices": ["new", "all"], "default": "new"},
    "suppress": {"type": "list", "elements": "raw", "default": []},
    "baseline": {"type": "path"},
    "policy": {"type": "dict", "default": {}, "options": _POLICY},
    "meshes": {"type": "list", "elements": "raw", "default": []},
    "allow_unread": {"type": "list", "elements": "str", "default": ["Secret"]},
    "fail_on": {"type": "str", "choices": ["error", "warning", "info", "never"], "default": "error"},
    "config": {"type": "path"},
    "reports": {"type": "dict", "default": {}, "options": {form: {"type": "path"} for form in FORMATS}},
    "title": {"type": "str", "default": "Mesh validation"},
    "certificate_days": {"type": "int", "default": 30},
    "istio_version": {"type": "str"},
    "target_version": {"type": "str"},
    "gateway_api_version": {"type": "str"},
    "gateway_api_channel": {"type": "str", "choices": ["standard", "experimental"]},
}


class Answered(NamedTuple):
    """result: what counts. unread: kinds that the cluster did not return. checks: all that there are.

    loaded: the input. again: the same validation of another one.
    """

    result: Validated
    unread: list[Unread]
    checks: list[Check]
    loaded: Loaded
    again: Callable[[Loaded], Validated]


def with_configuration(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those of file ``config``, or else of mesh-validate.yml where ``base`` is, if it is set.

    ``base`` is the working directory by now.

    Raises ConfigurationError, and OSError if the file cannot be read.
    """
    if params["config"]:
        return configured(params, VALIDATE_OPTIONS, os.path.expanduser(params["config"]), may_run_code=True)
    path = found_file(os.getcwd()) if params["base"] else ""
    return configured(params, VALIDATE_OPTIONS, path) if path else dict(params)


def answered(params: Mapping[str, Any], connect: Callable[[], AnyCluster], now: float) -> Answered:
    """Validates the input of the options. ``connect`` is called only if the cluster is read; ``now`` in seconds.

    Raises MeshError for invalid options and for input that cannot be read at all.
    """
    policy = policy_of(params["policy"])
    own = params["policy"]
    checks = [*all_checks(), *python_checks(own.get("python") or ()), *cel_checks(own.get("cel") or ())]
    suppressions = [suppression_of(entry) for entry in params["suppress"]]
    baseline = read_baseline(params["baseline"])
    meshes = places_of(params["meshes"])
    stated = stated_versions(params)
    found = read_input(params, connect, now)
    facts = {**found.settings.facts, **stated, "certificate_days": params["certificate_days"]}
    settings = found.settings._replace(facts=facts)
    known_live = None
    if found.live and found.files.resources and params["live_findings"] == "new":
        chosen = [check for check in checks if is_wanted(check, policy)]
        without_files = outcome_of(Loaded(found.live), settings, chosen)
        known_live = Counter(fingerprint(finding) for finding in without_files.findings)
    whole = Loaded([*found.live, *found.files.resources], found.files.findings, found.files.omitted)
    request = Request(policy, suppressions, baseline, params["namespaces"], known_live, meshes, not found.unread)

    def again(loaded: Loaded) -> Validated:
        return validate(loaded, settings, checks, request, found.file_count)

    result = again(whole)
    result.notes[:0] = [*found.notes, *notes_of(facts.get(ISTIO_VERSION), facts.get(TARGET_VERSION))]
    return Answered(result, found.unread, checks, whole, again)
