# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures as people read them."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.figures import rate, rate_with_unit


@pytest.mark.parametrize(
    ("value", "short", "with_unit"),
    [
        (0.0, "0.0", "0.0/s"),
        (12.54, "12.5", "12.5/s"),
        (0.1, "0.1", "0.1/s"),
        (0.04, "0.04", "2.4/min"),
        (0.00333, "0.0033", "0.2/min"),
        (0.0002, "0.0002", "under 0.1/min"),
    ],
)
def test_a_rate_is_never_rounded_to_nothing(value: float, short: str, with_unit: str) -> None:
    assert (rate(value), rate_with_unit(value)) == (short, with_unit)
