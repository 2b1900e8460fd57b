#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# promote.sh [--force]: makes this replica the primary, once the topology names it. Refuses while another server takes writes,
# and, without --force, while another replica has more of the old primary's data.
. "$(dirname "$0")/lib.sh"

patience=${POSTGRESQL_PATIENCE:-180}
while ! is_named_primary; do
  [ "$patience" -gt 0 ] || die "the topology names $(named_primary), not $POD_NAME: change ConfigMap postgresql-primary first"
  [ $((patience % 30)) -ne 0 ] || say "waiting until ConfigMap postgresql-primary reaches this pod (it says $(named_primary))"
  sleep 1
  patience=$((patience - 1))
done

if takes_writes; then
  say "$POD_NAME is the primary already"
  exit 0
fi

position="greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), coalesce(pg_last_wal_replay_lsn(), '0/0'))"
own=$(local_sql "SELECT $position")
for ordinal in $(others); do
  host=$(host_of "$ordinal")
  found=$(remote_sql "$host" "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'primary'
    WHEN $position > '$own' THEN 'ahead' ELSE 'behind' END" 2>/dev/null) || found=unreachable
  case "$found" in
    primary)
      die "server $ordinal still takes writes. Its pod sees the ConfigMap within two minutes; or delete the pod, then try again."
      ;;
    ahead)
      [ "${1:-}" = --force ] || die "server $ordinal has more of the old primary's data than $POD_NAME: promote that one, or lose the difference with --force"
      ;;
  esac
  say "server $ordinal: $found"
done

# What reads here may hold back what has arrived (a backup does, up to max_standby_streaming_delay), and so the promotion.
local_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()" >/dev/null
[ "$(local_sql 'SELECT pg_promote(true, 60)')" = t ] || die "the server did not become primary within 60 s; see its log"
# pg_rewind compares checkpoints: before the first one of the new timeline it would find nothing to rewind.
local_sql CHECKPOINT
say "$POD_NAME is the primary from $own on"
