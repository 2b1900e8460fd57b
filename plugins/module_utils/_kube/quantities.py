# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Quantities of Kubernetes as numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_SUFFIX = {"": Decimal(1), "m": Decimal("0.001")}
_SUFFIX |= {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTP", start=1)}
_SUFFIX |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", start=1)}


def quantity(value: Any) -> Decimal | None:
    """A quantity of Kubernetes in its base unit, None where it is not one."""
    found = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value))
    return Decimal(found[1]) * _SUFFIX[found[2] or ""] if found else None
