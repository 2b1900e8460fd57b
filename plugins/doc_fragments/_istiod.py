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
      - How to query each istiod.
      - V(port_forward) goes through the API server. It needs C(list) on C(pods), and C(get) and C(create) on
        C(pods/portforward), which opens every port of every pod of that namespace. C(docs/istiod-by-port-forward.yml)
        grants them.
      - V(pod_address) uses the pods' own addresses, which must be routable, with a token of O(istiod_account). It needs
        C(list) on C(pods), and C(create) on C(serviceaccounts/token) of that account.
        C(docs/istiod-by-pod-address.yml) grants them.
    type: str
    choices: [port_forward, pod_address]
    default: port_forward
  istiod_account:
    description:
      - The service account of O(istio_namespace) for V(pod_address). It needs no rights and should not have any. The
        token is valid for ten minutes.
      - By default that of role P(corpv3.service_mesh.istio#role).
    type: str
    default: service-mesh-istiod-reader
"""
