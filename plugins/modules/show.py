#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Show text as it is, at a terminal of any width and in a job's log
version_added: 0.1.0
description:
  - P(ansible.builtin.debug#module) shows text as JSON or YAML, which quotes it, wraps it and shows its lines as a list.
    This module shows tables, commands and messages unchanged.
  - Several hosts have their name above the text.
  - Where the callback writes a task's title with its result (C(display_skipped_hosts=false)), the title would be below
    the text. There the task is skipped after it has shown the text, and so has no title.
author:
  - corpv3 platform team (@corpv3)
options:
  text:
    description: A string, or a list of strings and lists. Empty text shows nothing.
    type: raw
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode), with the same result.
  diff_mode:
    support: N/A
    description: Would return what has changed. This module changes nothing.
  action:
    support: full
    description: Runs on the controller only.
notes:
  - It is an action plugin and needs no connection to the host.
"""

EXAMPLES = r"""
- name: Show the table
  corpv3.service_mesh.show:
    text: "{{ smoke.table }}"
"""

RETURN = r"""
# The text is not repeated in the result.
"""
