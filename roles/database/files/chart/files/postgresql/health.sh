#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# health.sh ready: the server does what the topology wants of it. health.sh live: fails only if a restart of the container helps.
. "$(dirname "$0")/lib.sh"

state=$(cat "$POSTGRESQL_RUN/state" 2>/dev/null || echo starting)

case "$1" in
  ready)
    [ "$state" = serving ] && [ -e "$POSTGRESQL_RUN/prepared" ] || die "not ready: $state"
    if is_named_primary; then
      takes_writes || die "named primary, but a replica still: promote.sh makes it the primary"
    elif takes_writes; then
      die "takes writes although $(named_primary) is named primary"
    elif is_stale; then
      die "has lacked what the primary has since $(date -u -d "@$(behind_since)" +%Y-%m-%dT%H:%M:%SZ); its log says why"
    fi
    ;;
  live)
    # A restart does not help a server that is being copied to, or waits for rejoin.sh.
    [ "$state" = serving ] || exit 0
    answer=0
    pg_isready --quiet --host="$POSTGRESQL_RUN" || answer=$?
    # 1: it answers and takes no connections yet, as while it recovers.
    [ "$answer" -le 1 ] || die "the server does not answer"
    ;;
  *)
    die "health.sh ready|live"
    ;;
esac
