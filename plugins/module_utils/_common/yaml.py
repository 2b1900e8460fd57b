# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""YAML by libyaml if it is available: Istio's definitions alone are a megabyte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

try:
    import yaml

    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    YamlError: type[Exception] = yaml.YAMLError
except ImportError:
    # AnsibleK8SModule reports a missing PyYAML.
    YamlError = ValueError


def load(text: str | bytes) -> Any:
    return yaml.load(text, Loader=_Loader)


def load_all(text: str | bytes) -> Iterator[Any]:
    return iter(yaml.load_all(text, Loader=_Loader))


def dump(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, width=200))
