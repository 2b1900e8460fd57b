# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What Ansible makes of a module: its arguments, its result, and where it may write."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NoReturn

from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule

# What a module is made of. An action plugin that runs modules inside Ansible's own process puts another class here.
module_class: type = AnsibleModule


def create_module(argument_spec: dict[str, Any], **kwargs: Any) -> AnsibleK8SModule:
    """A module with the options of kubernetes.core's k8s_auth_options fragment."""
    spec = deepcopy(AUTH_ARG_SPEC)
    spec.update(argument_spec)
    # no_log: the whole of the arguments, so also Secrets, would go to the system's log otherwise.
    return AnsibleK8SModule(
        module_class=module_class,
        # Cluster asks for the client, and not every call needs one.
        check_k8s=False,
        argument_spec=spec,
        supports_check_mode=True,
        no_log=True,
        **kwargs,
    )


def run_module(module: AnsibleK8SModule, function: Callable[[Any], Mapping[str, Any]], *hidden: str) -> NoReturn:
    """End the module with what the function returns, or with the MeshError that it raises. A bug ends it as it does.

    ``hidden``: options that may hold secrets, so that they are not returned.
    """
    invocation = {"invocation": _public_arguments(module, *hidden)} if hidden else {}
    try:
        result = function(module)
    except MeshError as error:
        module.fail_json(msg=str(error), **invocation, **error.result)
    else:
        module.exit_json(**{"changed": False, **invocation, **result})
    raise AssertionError("the module came back from its end")


def _public_arguments(module: AnsibleK8SModule, *hidden: str) -> dict[str, Any]:
    """The invocation to return: without the options that may hold secrets."""
    return {
        "module_args": {
            key: "(not shown, it may hold secrets)" if key in hidden and value else value
            for key, value in module.params.items()
        }
    }


def working_directory(module: AnsibleK8SModule) -> tempfile.TemporaryDirectory[str]:
    """Below Ansible's own, which Ansible clears even if the module is killed."""
    return tempfile.TemporaryDirectory(prefix="service-mesh-", dir=module._module.tmpdir)


def connect(module: AnsibleK8SModule) -> Any:
    """The module's Cluster, for one that may do without: to import the client takes longer than to validate a file."""
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster

    return Cluster(module)


def connect_alone(options: Mapping[str, Any]) -> Any:
    """The Cluster of a program that Ansible did not start. ``options``: of kubernetes.core's k8s_auth_options.

    Raises MeshError, and ImportError without the Python package kubernetes.
    """

    class Alone(AnsibleModule):  # type: ignore[misc]
        """Reports to its caller, where a module would print JSON and end the process."""

        def fail_json(self, msg: str, **_result: Any) -> NoReturn:
            raise MeshError(msg)

        def warn(self, warning: str, **_kwargs: Any) -> None:
            sys.stderr.write(f"note: {warning}\n")

    global module_class
    given = {name: value for name, value in options.items() if value}
    usual = module_class, basic._ANSIBLE_ARGS, getattr(basic, "_ANSIBLE_PROFILE", None)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
    basic._ANSIBLE_PROFILE, module_class = "legacy", Alone
    try:
        return connect(create_module({}))
    finally:
        module_class, basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = usual
