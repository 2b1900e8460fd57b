#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# health.sh ready: answers requests. health.sh live: answers at all, also while it still reads its data.
set -eu
REDISCLI_AUTH=$(cat "$REDIS_SECRETS/password")
export REDISCLI_AUTH
answer=$(redis-cli -h "${REDIS_HOST:-127.0.0.1}" -p "$REDIS_PORT" ping 2>&1) || true
case "$1:$answer" in
  *:PONG | live:LOADING*) ;;
  *)
    echo "$answer" >&2
    exit 1
    ;;
esac
