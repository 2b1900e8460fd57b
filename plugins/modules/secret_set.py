#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_set
short_description: Keep Secrets whose values are given, or generated once
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Applies Secrets. A value that is given wins. One that is not given is generated when the cluster has none yet,
    and never replaced.
  - Keys that hold a generated value are named in the annotation C(service-mesh.corpv3.com/generated) of the Secret.
  - Values are in neither the result nor the difference. A Secret is never deleted; M(corpv3.service_mesh.object_set)
    does that.
requirements:
  - kubernetes.core 6.2.0 or newer, below 7
  - kubernetes (Python library) 24.2.0 or newer, not 36.0.0 or 36.0.1
  - PyYAML
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Values are hidden; a marker shows whether they differ.
  idempotent:
    support: full
options:
  secrets:
    description: The Secrets. Their namespaces must exist.
    type: list
    elements: dict
    required: true
    version_added: 0.1.0
    suboptions:
      name:
        description: Name of the Secret.
        type: str
        required: true
      namespace:
        description: Its namespace.
        type: str
        required: true
      labels:
        description: Its labels.
        type: dict
        default: {}
      values:
        description: The texts by key. An empty text is not given.
        type: dict
        default: {}
      generate:
        description:
          - The number of letters and digits to generate, by key.
          - A key may be in both. It is generated where its value is empty.
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Keep the administrator's password
  corpv3.service_mesh.secret_set:
    secrets:
      - name: grafana-admin
        namespace: istio-system
        values:
          admin-user: admin
          admin-password: "{{ vault_grafana_password | default('') }}"
        generate:
          admin-password: 32
"""

RETURN = r"""
secrets:
  description: What happened, or would happen in check mode, to each Secret of O(secrets), in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the Secret.
      type: str
      returned: always
    namespace:
      description: Its namespace.
      type: str
      returned: always
    change:
      description: One of V(created), V(changed) and V(unchanged).
      type: str
      returned: always
    generated:
      description: The keys for which a value was generated in this run.
      type: list
      elements: str
      returned: always
"""

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.compare import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import contains, normalise
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref, plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.secrets import SecretError, Wanted, desired

_MANAGER = "corpv3-service-mesh"


def argument_spec() -> dict[str, Any]:
    secret = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "labels": {"type": "dict", "default": {}},
        "values": {"type": "dict", "default": {}},
        # Of lengths and names, not of values.
        "generate": {"type": "dict", "default": {}, "no_log": False},
    }
    # no_log would only hide the names: create_module keeps the arguments out of the log, main out of the result.
    return {"secrets": {"type": "list", "elements": "dict", "required": True, "options": secret, "no_log": False}}


def wanted_of(entry: dict[str, Any]) -> Wanted:
    try:
        lengths = {key: int(length) for key, length in entry["generate"].items()}
    except (TypeError, ValueError):
        lengths = {}
    secret = Wanted(
        entry["name"],
        entry["namespace"],
        {key: str(text) for key, text in entry["labels"].items()},
        {key: "" if text is None else str(text) for key, text in entry["values"].items()},
        lengths,
    )
    if len(lengths) != len(entry["generate"]) or any(length < 1 for length in lengths.values()):
        raise SecretError(f"{secret}: generate gives each key a number of characters, for example 32")
    return secret


def ensure(cluster: Cluster, secret: Wanted, check_mode: bool) -> tuple[Change, list[str]]:
    ref = Ref("v1", "Secret", secret.namespace, secret.name)
    live = cluster.get(ref)
    obj, made = desired(secret, live)
    if live and contains(normalise(live), normalise(obj)):
        return Change(ref, "unchanged", normalise(live), normalise(live)), []
    if not check_mode:
        cluster.apply(obj, _MANAGER, dry_run=False)
    before = normalise(live) if live else None
    return Change(ref, "changed" if live else "created", before, normalise(obj)), made


def run(module: Any) -> dict[str, Any]:
    wanted = [wanted_of(entry) for entry in plain(module.params["secrets"])]
    cluster = Cluster(module)
    done = [ensure(cluster, secret, module.check_mode) for secret in wanted]
    due = [change for change, _made in done if change.change != "unchanged"]
    return {
        "changed": bool(due),
        "secrets": [
            {
                "name": change.ref.name,
                "namespace": change.ref.namespace,
                "change": change.change,
                "generated": made,
            }
            for change, made in done
        ],
        "diff": [change.diff() for change in due] if module._diff else [],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run, "secrets")


if __name__ == "__main__":
    main()
