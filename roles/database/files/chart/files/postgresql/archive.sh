#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Receives the WAL of the current primary into $ARCHIVE_FOLDER/wal as it is written, and copies the data into
# $ARCHIVE_FOLDER/base/<time> when the newest copy is $ARCHIVE_BASE_HOURS old. restore_to_time.sh makes a database of both. The newest
# $ARCHIVE_KEEP copies stay, and the WAL since the oldest.
. "$(dirname "$0")/lib.sh"

look=${POSTGRESQL_LOOK_SECONDS:-5}
slot=postgresql_archive
servers=$(all_hosts)
incoming="$ARCHIVE_FOLDER/wal/incoming"
pool="$ARCHIVE_FOLDER/wal/pool"
receiver=
short_runs=0

leave() {
  trap '' TERM INT
  trap - EXIT
  [ -z "$receiver" ] || kill -INT "$receiver" 2>/dev/null || true
  wait
  exit "$1"
}
trap 'leave 0' TERM INT
trap 'leave $?' EXIT

primary() {
  echo "host=$servers user=replicator passfile=$PGPASSFILE application_name=$slot target_session_attrs=primary"
}

newest_base() {
  copies_in "$ARCHIVE_FOLDER/base" | tail -n 1
}

# older_than FOLDER MINUTES
older_than() {
  [ -n "$(find "$1" -maxdepth 0 -mmin "+$2")" ]
}

start_receiver() {
  # The slot keeps what this has not yet had, up to max_slot_wal_keep_size. After a failover the new primary does not have it.
  ensure_slot "$servers" "$slot" || return 0
  # On the primary, the previous connection may not have ended yet.
  [ "$(remote_sql "$servers" "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'" target_session_attrs=primary)" = f ] || return 0
  pg_receivewal --dbname="$(primary)" --directory="$incoming" --slot="$slot" --synchronous --no-loop --no-password &
  receiver=$!
  started=$(date +%s)
}

# The primary no longer has the next WAL, or has another history: receiving continues where the slot begins, and only a new copy leads
# there. The WAL received so far stays, for restores to earlier times.
start_anew() {
  say "the primary cannot continue the received WAL; starting again with a new copy of its data"
  find "$incoming" -type f -exec mv -f {} "$pool" \;
  touch "$ARCHIVE_FOLDER/base/wanted"
  short_runs=0
}

look_at_receiver() {
  if [ -z "$receiver" ]; then
    start_receiver
  elif ! kill -0 "$receiver" 2>/dev/null; then
    wait "$receiver" || true
    receiver=
    [ $(($(date +%s) - started)) -ge 60 ] && short_runs=0 || short_runs=$((short_runs + 1))
    # Not because the primary is away: it has just answered, each time.
    [ "$short_runs" -lt 3 ] || start_anew
  fi
}

# The pod is ready while the primary says that it sends, and the newest copy is not twice as old as it should get.
mark_state() {
  newest=$(newest_base)
  if [ -n "$newest" ] && older_than "$newest" $((ARCHIVE_BASE_HOURS * 120)); then
    rm -f "$POSTGRESQL_RUN/archiving"
  elif [ "$(remote_sql "$servers" "SELECT count(*) FROM pg_stat_replication WHERE application_name = '$slot' AND state = 'streaming'" \
    target_session_attrs=primary 2>/dev/null)" = 1 ]; then
    touch "$POSTGRESQL_RUN/archiving"
  else
    rm -f "$POSTGRESQL_RUN/archiving"
  fi
}

base_is_due() {
  [ ! -e "$ARCHIVE_FOLDER/base/wanted" ] || return 0
  newest=$(newest_base)
  [ -z "$newest" ] || older_than "$newest" $((ARCHIVE_BASE_HOURS * 60))
}

copy_data() {
  name=$(date -u +%Y%m%dT%H%M%SZ)
  partial="$ARCHIVE_FOLDER/base/.partial"
  rm -rf "$partial"
  if pg_basebackup --dbname="$(primary)" --pgdata="$partial" --format=tar --gzip --checkpoint=fast --wal-method=stream --no-password; then
    # The file of WAL that it begins in: older ones are needed by older copies only.
    tar -xzOf "$partial/base.tar.gz" backup_label | sed -n 's/^START WAL LOCATION.*(file \([0-9A-F]*\)).*/\1/p' >"$partial/start"
    # When it was complete: a moment before that, this copy does not lead to.
    date +%s >"$partial/end"
    mv "$partial" "$ARCHIVE_FOLDER/base/$name"
    rm -f "$ARCHIVE_FOLDER/base/wanted"
    say "copy $name: $(du -sk "$ARCHIVE_FOLDER/base/$name" | cut -f1) KiB"
    prune
  else
    rm -rf "$partial"
    say "the data could not be copied; trying again in ten minutes"
    not_before=$(($(date +%s) + 600))
  fi
}

prune() {
  remove_old_copies "$ARCHIVE_FOLDER/base" "$ARCHIVE_KEEP" copy
  oldest=$(copies_in "$ARCHIVE_FOLDER/base" | head -n 1)
  for wal in "$pool" "$incoming"; do
    pg_archivecleanup "$wal" "$(cat "$oldest/start")"
  done
}

mkdir -p "$incoming" "$pool" "$ARCHIVE_FOLDER/base" "$POSTGRESQL_RUN"
rm -f "$POSTGRESQL_RUN/archiving"
write_passwords
not_before=0
while true; do
  look_at_receiver
  mark_state
  if [ -n "$receiver" ] && [ "$(date +%s)" -ge "$not_before" ] && base_is_due; then
    copy_data
  fi
  nap "$look"
done
