# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  prometheus:
    description: Where measurements are read. Without it, no measurements are reported.
    type: dict
    suboptions:
      url:
        description: URL of what has Prometheus' API.
        type: str
        required: true
      path_prefix:
        description: What comes between the host and C(/api/v1), as for Mimir.
        type: str
        default: ""
      token:
        description: Bearer token.
        type: str
        default: ""
      username:
        description: User for basic authentication.
        type: str
        default: ""
      password:
        description: Password for basic authentication.
        type: str
        default: ""
      ca_cert:
        description: File of certificates that are trusted.
        type: path
        default: ""
      validate_certs:
        description: Whether the server's certificate is verified.
        type: bool
        default: true
      timeout:
        description: Seconds to wait for an answer.
        type: float
        default: 10
  window:
    description: Over how long the traffic is averaged, as PromQL writes it.
    type: str
    default: 5m
"""
