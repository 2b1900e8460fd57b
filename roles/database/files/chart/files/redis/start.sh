#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The server with its password, which reaches it in a file: every process can read a command line.
set -eu
umask 077
mkdir -p "$REDIS_RUN"
printf 'requirepass "%s"\n' "$(sed 's/[\\"]/\\&/g' "$REDIS_SECRETS/password")" >"$REDIS_RUN/password.conf"
exec redis-server "$REDIS_CONFIG/redis.conf" --include "$REDIS_RUN/password.conf" --port "$REDIS_PORT" --dir "$REDIS_DATA" "$@"
