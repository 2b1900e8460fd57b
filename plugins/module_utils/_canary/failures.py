# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why a run cannot start or continue."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError


class CanaryFailure(MeshError):
    """The run cannot start or continue as requested. The message names a fix."""


class NoRoute(CanaryFailure):
    """The object with the routes does not exist."""


class Changed(Exception):
    """The state in the cluster is not the one of the decision."""
