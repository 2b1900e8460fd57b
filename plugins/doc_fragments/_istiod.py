# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  istio_namespace:
    description: Namespace of istiod and the gateways.
    type: str
    default: istio-system
  istiod_access:
    description:
      - How each istiod is asked.
      - V(port_forward) goes through the API server and needs C(create) on C(pods/portforward).
      - V(pod_address) goes to the pods' own addresses, where they are routed, with a short-lived token of istiod's
        service account, and needs C(create) on C(serviceaccounts/token).
    type: str
    choices: [port_forward, pod_address]
    default: port_forward
"""
