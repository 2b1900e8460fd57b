# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module service_answers, inside Ansible's own process where it can."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.modules import service_answers
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    module = service_answers
