# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which of Istio's answers are failures of the server, as regular expressions of its labels."""

from __future__ import annotations

# Of response_code.
HTTP = "5.."
# Of grpc_response_status, since errors of gRPC have response code 200. By OpenTelemetry's rules: unknown, deadline
# exceeded, unimplemented, internal, unavailable, data loss.
GRPC = "2|4|12|13|14|15"
