# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What names an image."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import image_with


@pytest.mark.parametrize(
    ("current", "tag", "wanted"),
    [
        ("shop/order-service:1.0.0", "2.0.0", "shop/order-service:2.0.0"),
        ("registry.example.com:5000/shop/order-service", "2.0.0", "registry.example.com:5000/shop/order-service:2.0.0"),
        ("shop/order-service:1@sha256:" + "0" * 64, "2.0.0", "shop/order-service:2.0.0"),
        ("shop/order-service:1", "sha256:" + "1" * 64, "shop/order-service@sha256:" + "1" * 64),
    ],
)
def test_a_tag_replaces_a_tag(current: str, tag: str, wanted: str) -> None:
    assert image_with(current, tag) == wanted
