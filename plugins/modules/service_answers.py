#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_answers
short_description: Send requests to Services of the cluster, and check their answers
version_added: 0.1.0
description:
  - Sends an HTTP GET to a ready pod behind each Service, by a port-forward through the API server. This works even if
    neither pods nor load balancers can be reached, and bypasses every NetworkPolicy.
  - Changes nothing.
  - Refuses an account without the rights that the options need before it asks, unless O(skip_forbidden) is set.
  - Asks again until the answer is right or O(timeout) has expired.
author:
  - corpv3 platform team (@corpv3)
options:
  questions:
    description: The requests.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in the table.
        type: str
        required: true
      namespace:
        description: Namespace of the Service.
        type: str
        required: true
      service:
        description: Name of the Service.
        type: str
        required: true
      port:
        description: Port of the Service.
        type: int
        required: true
      path:
        description: Path of the request. Any status other than 200 is a wrong answer.
        type: str
        required: true
      wanted:
        description: Regular expression that the answer must contain.
        type: str
        default: ""
      login:
        description: Name of an entry of O(logins). Without such an entry the question is skipped.
        type: str
        default: ""
      needs:
        description: Service of the same namespace without which the question is skipped.
        type: str
        default: ""
  logins:
    description:
      - The Secrets to log in with. Each entry has V(namespace), V(secret), and either V(token_key), or V(user_key)
        and V(password_key).
    type: dict
    default: {}
  skip_forbidden:
    description: Whether questions that the account may not ask are skipped, with the reason, instead of refused.
    type: bool
    default: false
  timeout:
    description: Seconds for which a wrong answer is asked for again.
    type: int
    default: 60
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
"""

EXAMPLES = r"""
- name: Check that Grafana reads Prometheus
  corpv3.service_mesh.service_answers:
    questions:
      - name: Grafana reads Prometheus
        namespace: istio-system
        service: grafana
        port: 80
        path: /api/datasources/uid/prometheus/health
        wanted: '"status":"OK"'
        login: grafana
    logins:
      grafana: {namespace: istio-system, secret: grafana-admin, user_key: admin-user, password_key: admin-password}
  register: answers
  failed_when: not answers.passed
"""

RETURN = r"""
passed:
  description: Whether no check failed.
  returned: always
  type: bool
failed_checks:
  description: Names of the questions with wrong answers.
  returned: always
  type: list
  elements: str
checks:
  description: One entry for each question, in their order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the question.
      type: str
    state:
      description: V(ok), V(failed), or V(skipped).
      type: str
    detail:
      description: The answer in words.
      type: str
table:
  description: The same as lines of text.
  returned: always
  type: list
  elements: str
"""

from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.questions import Result, ask_all, report
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.services import answer, rights

MANIFEST = "docs/smoke-components.yml"
_LOGIN = {"namespace": "", "secret": "", "user_key": "", "password_key": "", "token_key": ""}


def argument_spec() -> dict[str, Any]:
    text = {"type": "str", "required": True}
    question = {
        "name": text,
        "namespace": text,
        "service": text,
        "port": {"type": "int", "required": True},
        "path": text,
        "wanted": {"type": "str", "default": ""},
        "login": {"type": "str", "default": ""},
        "needs": {"type": "str", "default": ""},
    }
    return {
        "questions": {"type": "list", "elements": "dict", "required": True, "options": question},
        "logins": {"type": "dict", "default": {}},
        "skip_forbidden": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
    }


def run(module: Any) -> dict[str, Any]:
    questions: list[dict[str, Any]] = module.params["questions"]
    logins = {name: _LOGIN | login for name, login in module.params["logins"].items()}
    cluster = Cluster(module)
    lacking = {
        question["name"]: problem(
            cluster, rights(question, logins), f"ask whether {question['name']}", MANIFEST, in_one_line=True
        )
        for question in questions
    }
    forbidden = [text for text in lacking.values() if text]
    if forbidden and not module.params["skip_forbidden"]:
        raise MeshError("\n".join(forbidden))
    asked = {
        question["name"]: partial(Result, None, lacking[question["name"]])
        if lacking[question["name"]]
        else partial(answer, cluster, question, logins)
        for question in questions
    }
    return report(ask_all(asked, module.params["timeout"]))


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
