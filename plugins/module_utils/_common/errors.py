# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Errors of any package, for the module that calls it."""

from __future__ import annotations

from typing import Any


class MeshError(Exception):
    """A module fails with this message, which names what is wrong and the way out. Everything else is a bug.

    ``result``: values that the module returns beside the message.
    """

    def __init__(self, message: str, /, **result: Any) -> None:
        super().__init__(message)
        self.result = result


class InputError(MeshError):
    """Invalid input; the message names the option and the way out."""
