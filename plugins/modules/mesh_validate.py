#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_validate
short_description: Find faults in a mesh's configuration, in files and in a cluster
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Runs every check of C(istioctl analyze) and of Kiali, and some that neither has, on Istio's, Gateway API's and
    Kubernetes' objects. Files get the same checks as a cluster.
  - Reads files, rendered charts, the live cluster, or files on top of the live cluster, which shows whether a change
    would break it. Nothing is changed.
  - Fails if it could not read its input, since no findings would then mean nothing. See O(allow_empty) and
    O(allow_unread).
  - A finding has the code of istioctl or Kiali where they have one, so that it can be looked up.
    Others begin with C(MESH).
  - A check that needs kinds of objects which the input does not have reports nothing and is listed in RV(undecided).
requirements:
  - PyYAML with libyaml; ryaml makes reading files faster
  - cryptography, for certificates
  - common-expression-language, for O(policy.cel)
  - helm or kustomize, for charts and kustomizations only
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
  - corpv3.service_mesh._validate_input
  - kubernetes.core.k8s_auth_options
options:
  live_findings:
    description:
      - Which findings of the cluster's own objects are reported when files are laid over it. V(new) reports what the
        files cause, V(all) also what is wrong without them.
    type: str
    choices: [new, all]
    default: new
  suppress:
    description:
      - Known and intended findings. C(CODE), C(CODE=Kind namespace/name), where C(*) and C(?) match anything, or a dict
        of C(code), C(resource), C(reason) and C(until) (the last day on which it applies).
      - "A comment beside a line suppresses its findings, as in C(# mesh-validate: ignore MESH203)."
      - An object can suppress findings itself, with the annotation C(service-mesh.corpv3.com/suppress), istioctl's
        C(galley.istio.io/analyze-suppress) or Kiali's C(kiali.io/ignore-validations).
    type: list
    elements: raw
    default: []
  baseline:
    description:
      - Path of an earlier JSON report. Its findings are not reported again, so that only new ones are.
      - If the file does not exist, there are no known findings.
    type: path
  policy:
    description: Deviations of the organization from the defaults, and its own checks.
    type: dict
    default: {}
    suboptions:
      levels:
        description: Code, or pattern of codes, to V(error), V(warning), V(info) or V("off").
        type: dict
        default: {}
      enable:
        description: Codes of checks that are off by default.
        type: list
        elements: str
        default: []
      python:
        description:
          - Files of own checks in Python, or C(namespace.collection.name) for C(plugins/module_utils/name.py) of a
            collection.
        type: list
        elements: str
        default: []
      cel:
        description:
          - Own checks as CEL expressions. Each has C(code), C(kinds), C(expression), which is true for a valid
            C(object), and C(message). It may have C(level), C(title), C(why), C(remedy), C(docs) and C(field).
        type: list
        elements: dict
        default: []
  meshes:
    description:
      - Places that are a mesh each, such as environments, overlays or a folder for each cluster. Each is checked by
        itself, as if the others did not exist. Files that no mesh names belong to each of them.
      - A pattern, as V(clusters/*), makes each folder or file that it matches a mesh. A dict has C(paths), and
        optionally C(name). For one mesh of several clusters, it has C(name), and C(clusters) with the paths of each
        cluster by its name. A cluster sees the Services and workloads of the others, but only its own configuration.
      - Only files of O(paths) are read. A finding about a file of several meshes that is not true for all of them
        names those for which it is.
      - Without it, folders that look like environments are compared with care, but what one lacks and another one has
        is not reported.
      - With O(live), the files must be of one mesh.
    type: list
    elements: raw
    default: []
  fail_on:
    description:
      - Fail if there is a finding of this level or a worse one, or if not everything was read (O(allow_unread)).
      - V(never) fails in neither case.
    type: str
    choices: [error, warning, info, never]
    default: error
  allow_unread:
    description:
      - Kinds of the cluster that may stay unread, such as V(Secret) or V(Gateway.networking.istio.io), where V(*) and
        V(?) match anything. Checks that need them report nothing.
      - Any other kind that the account may not list, or that the API server does not return, is a failure that names
        the missing rights. A kind that the cluster does not serve is not missed.
      - By default Secrets, since they hold private keys, and few checks need them.
    type: list
    elements: str
    default: [Secret]
  config:
    description:
      - A file with some of these options, by their names, which a repository states once for the module, the role and
        the console program C(mesh-validate). They are O(suppress), O(policy), O(meshes), O(baseline), O(fail_on),
        O(allow_empty), O(allow_unread), O(certificate_days), O(istio_version), O(target_version),
        O(gateway_api_version), O(gateway_api_channel), O(default_namespace), O(cluster_domain), O(trust_domain) and
        O(mesh_config). Its paths start at its folder.
      - If not set, C(mesh-validate.yml) in O(base), or in the root of the repository that O(base) is in. Without
        O(base), no file is looked for.
      - Its O(suppress) and O(policy) are added to those of the task. Its other options apply where the task's have
        their defaults.
      - O(policy.python) runs code, so it applies only from a file that is named here.
    type: path
  reports:
    description:
      - Files to write, by format. An existing one is replaced, in check mode too.
      - Either all of them are written or none.
    type: dict
    default: {}
    suboptions:
      json:
        description: All findings as data. Also a O(baseline) for later.
        type: path
      sarif:
        description: SARIF 2.1.0, for code scanning.
        type: path
      junit:
        description: JUnit's XML. Findings at the level of O(fail_on) or worse are failures.
        type: path
      github:
        description: GitHub's workflow commands, to be printed as they are.
        type: path
      html:
        description: A page for people.
        type: path
      table:
        description: The same as RV(table).
        type: path
  show:
    description:
      - What RV(shown) has of the findings as text for people, the worst first with the line of the source. The text is
        that of the console program C(mesh-validate). Module M(corpv3.service_mesh.show) shows it without the quotes of
        YAML or JSON.
      - V(all) is everything. V(brief) is everything if a finding fails the validation. Otherwise it is the number of
        warnings if there are any, and the reports.
      - If the validation fails, RV(msg) has the conclusion.
    type: str
    choices: [nothing, brief, all]
    default: nothing
  title:
    description: Title of the HTML page.
    type: str
    default: Mesh validation
  certificate_days:
    description: Report certificates expiring within this many days.
    type: int
    default: 30
  istio_version:
    description:
      - The Istio version by whose schemas the objects are judged, as V(1.31) or V(1.31.1). If not set, the oldest
        istiod's of the cluster with O(live=true). Otherwise it is not known, and the newest schemas are used.
      - A field that the version does not have is an error. If the version is not known, or newer than the newest
        schemas, it is a warning that says so. A typo in the name of a known field is an error unless the version is
        newer.
    type: str
  target_version:
    description:
      - The Istio version of a planned upgrade, as V(1.32). The findings then include what the upgrade breaks or
        changes, as far as the configuration shows it, each with the address of Istio's note.
      - The notes of Istio 1.29 to 1.32 are known. Only those of releases after the version in use count, which is
        O(istio_version) or the oldest istiod's. If it is not known, all up to the target do.
      - The objects are still judged by the schemas of O(istio_version).
    type: str
  gateway_api_version:
    description:
      - The same for the Gateway API, as V(1.5) or V(v1.5.1). If not set, each kind has the version and channel that its
        CustomResourceDefinition names, in the cluster with O(live=true) or in the files.
    type: str
  gateway_api_channel:
    description:
      - The Gateway API's channel. If not set, the one that its CustomResourceDefinitions name, or else V(experimental),
        which has everything that V(standard) has.
    type: str
    choices: [standard, experimental]
seealso:
  - name: istioctl analyze
    description: Istio's analyzer and its messages.
    link: https://istio.io/latest/docs/reference/config/analysis/
notes:
  - The tables of codes linked from the collection's C(docs/validation.md) describe each check.
"""

EXAMPLES = r"""
- name: Check the files of a repository
  corpv3.service_mesh.mesh_validate:
    paths: [deploy/]
    fail_on: warning
    reports:
      sarif: mesh.sarif

- name: Check whether this change would break the mesh
  corpv3.service_mesh.mesh_validate:
    live: true
    chart:
      path: charts/shop
      namespace: shop
      values: "{{ shop_values }}"

- name: Check two namespaces of the cluster
  corpv3.service_mesh.mesh_validate:
    live: true
    namespaces: [shop, istio-system]
    suppress:
      - MESH203=VirtualService shop/legacy-*
      - {code: IST0118, reason: the vendor's port names, until: 2027-06-30}
    fail_on: never
  register: mesh

- name: Find out what an upgrade of Istio would break
  corpv3.service_mesh.mesh_validate:
    live: true
    paths: [deploy/]
    live_findings: all
    target_version: "1.32"
    fail_on: warning

- name: Check each environment by itself
  corpv3.service_mesh.mesh_validate:
    paths: [deploy/]
    meshes: ["deploy/environments/*"]

- name: Check the organization's own rules
  corpv3.service_mesh.mesh_validate:
    paths: [deploy/]
    policy:
      levels: {KIA1301: warning, IST0102: "off"}
      cel:
        - code: SHOP001
          kinds: [VirtualService]
          expression: "!has(object.spec.http) || object.spec.http.all(route, has(route.timeout))"
          message: a route without a timeout
          remedy: Set timeout on every route.
"""

RETURN = r"""
findings:
  description: The findings, ordered by file, line, kind and name.
  returned: always
  type: list
  elements: dict
  contains:
    code: {description: Code of the check., type: str, sample: IST0101}
    aliases: {description: The other tool's codes for the same fault., type: list, elements: str, sample: [KIA1101]}
    level: {description: "V(error), V(warning) or V(info).", type: str}
    kind: {description: Kind of the object., type: str}
    namespace: {description: Namespace of the object., type: str}
    name: {description: Name of the object., type: str}
    file: {description: File of the object; empty if it is live., type: str}
    line: {description: "Line of the field, from 1; 0 if the object is live.", type: int}
    column: {description: Column of the field., type: int}
    field: {description: Path of the field., type: str, sample: "spec.http[0].route[0].destination.host"}
    title: {description: The fault in a few words., type: str}
    message: {description: What is wrong here., type: str}
    why: {description: What happens if it is not fixed., type: str}
    remedy: {description: How to fix it., type: str}
    docs: {description: Where to read more., type: str}
summary:
  description:
    - Numbers of findings by level, of objects, files, meshes, checks, suppressed, known (in the baseline), undecided.
  returned: always
  type: dict
files:
  description: The reports that were written.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: Where it is., type: str, sample: /srv/shop/mesh.sarif}
    format: {description: Its format., type: str, sample: sarif}
msg:
  description: The conclusion in one line.
  returned: always
  type: str
  sample: 1 error in 12 objects of 3 files
passed:
  description: Whether no finding is as bad as O(fail_on), and everything was read except O(allow_unread).
  returned: always
  type: bool
table:
  description: The findings as human-readable lines.
  returned: always
  type: list
  elements: str
shown:
  description: The lines that O(show) asks for.
  returned: with an action plugin, as in a task
  type: list
  elements: str
undecided:
  description:
    - Checks without an answer, or with a partial one, and what they lack. This may be kinds that the input does not
      have, a library, or a single definition of an object that the input defines several times and differently.
  returned: always
  type: dict
notes:
  description: What could not be read, suppressions that match nothing any more, and similar notes.
  returned: always
  type: list
  elements: str
"""

import time
from typing import Any

# Ansible ships a module with what is imported anywhere, and users' own checks import this.
from ansible_collections.corpv3.service_mesh.plugins.module_utils import (  # noqa: F401  # pylint: disable=unused-import
    mesh_checks,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import (
    named_file_errors,
    requested,
    write_reports,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import connect, create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.options import start_at
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.outcome import outcome, text_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import (
    VALIDATE_OPTIONS,
    answered,
    with_configuration,
)


def argument_spec() -> dict[str, Any]:
    # The action plugin shows them.
    show = {"type": "str", "choices": ["nothing", "brief", "all"], "default": "nothing"}
    return {**VALIDATE_OPTIONS, "show": show}


@named_file_errors()
def run(module: Any) -> dict[str, Any]:
    params = plain(module.params)
    start_at(params["base"])
    params = with_configuration(params)
    reports = requested(params["reports"])
    done = answered(params, lambda: connect(module), time.time())
    texts = {form: text_of(form, params, done.result) for form in reports}
    files = write_reports(reports, texts)
    returned = {**outcome(params, done.result, done.unread), "files": files}
    if not returned["passed"]:
        raise MeshError(returned.pop("msg"), **returned)
    return returned


def main() -> None:
    run_module(create_module(argument_spec()), run, "content", "chart")


if __name__ == "__main__":
    main()
