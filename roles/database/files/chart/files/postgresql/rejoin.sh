#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# rejoin.sh: makes this server, which was primary once, a replica of the new one; what the new one never had is undone.
# rejoin.sh --clone: copies all data from the primary instead, where a rewind is not possible. Needs the space twice.
. "$(dirname "$0")/lib.sh"

is_named_primary && die "$POD_NAME is named primary: there is no other primary to rejoin"
remote_sql "$(other_hosts)" 'SELECT 1' target_session_attrs=primary >/dev/null || die "no other server answers as primary: promote one first"

touch "$POSTGRESQL_RUN/rejoining"
# start.sh, whose server ends here, continues with this and does not end itself.
trap 'mv "$POSTGRESQL_RUN/rejoining" "$POSTGRESQL_RUN/rejoined"' EXIT

if pg_ctl status --pgdata="$PGDATA" >/dev/null 2>&1; then
  [ "${1:-}" = --clone ] || [ ! -e "$PGDATA/standby.signal" ] || die "$POD_NAME is a replica already; rejoin.sh --clone copies it again"
  pg_ctl stop --pgdata="$PGDATA" --mode=fast >&2
fi

if [ "${1:-}" = --clone ]; then
  clone || die "the primary could not be copied; the old data is still there"
else
  ensure_slot "$(other_hosts)" "$(own_slot)"
  pg_rewind --target-pgdata="$PGDATA" --source-server="$(to_primary) dbname=postgres" >&2 ||
    die "the data could not be rewound; rejoin.sh --clone copies the primary's instead"
  touch "$PGDATA/standby.signal"
fi
say "$POD_NAME starts as a replica now"
