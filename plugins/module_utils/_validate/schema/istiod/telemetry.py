# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Telemetry and ProxyConfig, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    selector,
    some,
    targets,
)


def telemetry(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "selector"), spec.get("selector"))
    targets(faults, spec)
    for index, metrics in enumerate(some(spec.get("metrics"))):
        path = ("spec", "metrics", index)
        _providers(faults, path, metrics)
        for place, override in enumerate(some(metrics.get("overrides"))):
            _override(faults, (*path, "overrides", place), override)
    tracing: list[Object] = spec.get("tracing") or []
    if len(tracing) > 1:
        faults.warning(("spec", "tracing", 1), "only the first entry of tracing is used")
    for index, trace in enumerate(tracing):
        _tracing(faults, ("spec", "tracing", index), trace)
    for index, logging in enumerate(some(spec.get("accessLogging"))):
        _providers(faults, ("spec", "accessLogging", index), logging)
        if logging.get("filter") is None:
            continue
        # Here, since it takes longer to import than to judge most inputs, and few have a filter.
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import cel_syntax

        expression = logging["filter"].get("expression") or ""
        if fault := cel_syntax.error(expression):
            where = ("spec", "accessLogging", index, "filter", "expression")
            faults.error(where, f"{expression!r} is not a valid CEL expression: {fault}")


def _providers(faults: Faults, path: Path, value: Object) -> None:
    for index, provider in enumerate(some(value.get("providers"))):
        if not provider.get("name"):
            faults.error((*path, "providers", index, "name"), "the provider has no name")


def _override(faults: Faults, path: Path, override: Object) -> None:
    for name, tag in (override.get("tagOverrides") or {}).items():
        where = (*path, "tagOverrides", name)
        if not name:
            faults.warning((*path, "tagOverrides"), "the name of a tag is empty")
        if tag is None:
            faults.error(where, f"the tag {name!r} has no override")
        elif (tag.get("operation") or "UPSERT") == "UPSERT":
            if not tag.get("value"):
                faults.error((*where, "value"), f"the tag {name!r} has no value; operation: REMOVE removes the tag")
        elif tag.get("value"):
            faults.error((*where, "value"), f"the tag {name!r} is removed, so it must not have a value")
    if (override.get("match") or {}).get("customMetric") == "":
        faults.error((*path, "match", "customMetric"), "the name of the metric is empty")


def _tracing(faults: Faults, path: Path, trace: Object) -> None:
    _providers(faults, path, trace)
    if len(some(trace.get("providers"))) > 1:
        faults.warning((*path, "providers", 1), "only the first provider is used")
    share = trace.get("randomSamplingPercentage")
    if share is not None and not 0 <= share <= 100:
        faults.error((*path, "randomSamplingPercentage"), f"{share} is not a valid percentage (0 to 100)")
    for name, tag in (trace.get("customTags") or {}).items():
        where = (*path, "customTags", name)
        if not name:
            faults.error((*path, "customTags"), "the name of a tag is empty")
        if tag is None:
            faults.error(where, f"the tag {name!r} has no definition")
            continue
        for kind, field in (("literal", "value"), ("header", "name"), ("environment", "name")):
            if tag.get(kind) is not None and not tag[kind].get(field):
                faults.error((*where, kind, field), f"the {field} is empty")


def proxy_config(resource: Resource, faults: Faults) -> None:
    selector(faults, ("spec", "selector"), resource.spec.get("selector"))
    concurrency = resource.spec.get("concurrency") or 0
    if concurrency < 0:
        faults.error(("spec", "concurrency"), f"{concurrency} is less than 0")
