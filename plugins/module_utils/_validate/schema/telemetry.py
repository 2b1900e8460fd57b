# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Telemetry and ProxyConfig, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import cel_syntax
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    selector,
    some,
    targets,
)


def telemetry(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "selector"), spec.get("selector"))
    targets(say, spec)
    for index, metrics in enumerate(some(spec.get("metrics"))):
        path = ("spec", "metrics", index)
        _providers(say, path, metrics)
        for place, override in enumerate(some(metrics.get("overrides"))):
            _override(say, (*path, "overrides", place), override)
    tracing: list[Object] = spec.get("tracing") or []
    if len(tracing) > 1:
        say.doubted(("spec", "tracing", 1), "only the first entry of tracing is used")
    for index, trace in enumerate(tracing):
        _tracing(say, ("spec", "tracing", index), trace)
    for index, logging in enumerate(some(spec.get("accessLogging"))):
        _providers(say, ("spec", "accessLogging", index), logging)
        if logging.get("filter") is None:
            continue
        expression = logging["filter"].get("expression") or ""
        if fault := cel_syntax.error(expression):
            where = ("spec", "accessLogging", index, "filter", "expression")
            say.refused(where, f"{expression!r} is no expression of CEL: {fault}")


def _providers(say: Say, path: Path, value: Object) -> None:
    for index, provider in enumerate(some(value.get("providers"))):
        if not provider.get("name"):
            say.refused((*path, "providers", index, "name"), "the provider has no name")


def _override(say: Say, path: Path, override: Object) -> None:
    for name, tag in (override.get("tagOverrides") or {}).items():
        where = (*path, "tagOverrides", name)
        if not name:
            say.doubted((*path, "tagOverrides"), "the name of a tag is empty")
        if tag is None:
            say.refused(where, f"nothing is said of the tag {name!r}")
        elif (tag.get("operation") or "UPSERT") == "UPSERT":
            if not tag.get("value"):
                say.refused((*where, "value"), f"the tag {name!r} has no value; operation: REMOVE takes it away")
        elif tag.get("value"):
            say.refused((*where, "value"), f"the tag {name!r} is removed, so it has no value")
    if (override.get("match") or {}).get("customMetric") == "":
        say.refused((*path, "match", "customMetric"), "the name of the metric is empty")


def _tracing(say: Say, path: Path, trace: Object) -> None:
    _providers(say, path, trace)
    if len(some(trace.get("providers"))) > 1:
        say.doubted((*path, "providers", 1), "only the first provider is used")
    share = trace.get("randomSamplingPercentage")
    if share is not None and not 0 <= share <= 100:
        say.refused((*path, "randomSamplingPercentage"), f"{share} is no percentage")
    for name, tag in (trace.get("customTags") or {}).items():
        where = (*path, "customTags", name)
        if not name:
            say.refused((*path, "customTags"), "the name of a tag is empty")
        if tag is None:
            say.refused(where, f"nothing is said of the tag {name!r}")
            continue
        for kind, field in (("literal", "value"), ("header", "name"), ("environment", "name")):
            if tag.get(kind) is not None and not tag[kind].get(field):
                say.refused((*where, kind, field), f"the {field} is empty")


def proxy_config(resource: Resource, say: Say) -> None:
    selector(say, ("spec", "selector"), resource.spec.get("selector"))
    concurrency = resource.spec.get("concurrency") or 0
    if concurrency < 0:
        say.refused(("spec", "concurrency"), f"{concurrency} is less than 0")
