#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: refuse
short_description: Fail with a text that is shown once, as it is, unless the text is empty
version_added: 0.1.0
description:
  - P(ansible.builtin.fail#module) shows its message twice, the second time as JSON or YAML. This module shows it once,
    as the error, and has one line in the result.
  - With an empty text it succeeds, or is skipped where the callback leaves out skipped tasks.
  - Of a list with more than ten entries, it shows the first eight, the number of others, and the last. With C(-v), all.
author:
  - corpv3 platform team (@corpv3)
options:
  msg:
    description: The reasons, each with its remedy. A string, or a list of strings. If it is empty, the task succeeds.
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
- name: Refuse an empty tag
  corpv3.service_mesh.refuse:
    msg: "canary_image_tag is empty: set the tag of the new version. Nothing was changed."
  when: canary_image_tag == ''
"""

RETURN = r"""
msg:
  description: Where the reasons are. They are the task's error.
  type: str
  returned: always
"""
