#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What each server is, seen from this pod: one line a server.
. "$(dirname "$0")/lib.sh"

primary_at=$(remote_sql "$(all_hosts)" 'SELECT pg_current_wal_lsn()' target_session_attrs=primary 2>/dev/null) || primary_at=
report="SELECT CASE WHEN pg_is_in_recovery() THEN 'replica  ' ELSE 'primary  ' END
  || 'at ' || coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text, '-')
  || CASE WHEN pg_is_in_recovery() THEN ', ' || coalesce((SELECT status FROM pg_stat_wal_receiver), 'not connected')
       || coalesce(', ' || pg_size_pretty(pg_wal_lsn_diff(nullif('$primary_at', '')::pg_lsn, pg_last_wal_replay_lsn())) || ' behind', '')
       || coalesce(', last transaction ' || date_trunc('second', pg_last_xact_replay_timestamp()), '')
     ELSE ', ' || (SELECT count(*) FROM pg_stat_replication WHERE application_name ~ '[0-9]$') || ' replicas connected' END"

echo "named primary: $(named_primary)"
ordinal=0
while [ "$ordinal" -lt "$POSTGRESQL_REPLICAS" ]; do
  echo "${POD_NAME%-*}-$ordinal: $(remote_sql "$(host_of "$ordinal")" "$report" 2>/dev/null || echo 'does not answer')"
  ordinal=$((ordinal + 1))
done
