# shellcheck shell=sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the other scripts share. One rule applies to all: only the server that the file $POSTGRESQL_TOPOLOGY names may accept
# writes. The file is a ConfigMap of the cluster, and a manual failover changes it first.
set -eu
umask 077

: "${POSTGRESQL_SECRETS:=/etc/postgresql/secrets}"
: "${POSTGRESQL_RUN:=/var/run/postgresql}"
: "${POSTGRESQL_PORT:=5432}"
# How long a replica may lag behind the primary before it must not serve reads.
: "${POSTGRESQL_STALE_SECONDS:=300}"

export PGPORT="$POSTGRESQL_PORT" PGPASSFILE="$POSTGRESQL_RUN/passwords" PGCONNECT_TIMEOUT=5

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) ${0##*/}: $*" >&2
}

die() {
  say "$*"
  exit 1
}

# Waits, but not when TERM comes: a shell runs its trap between commands and in `wait` only.
nap() {
  sleep "$1" &
  wait $!
}

# For each role whose password this pod has.
write_passwords() {
  for file in "$POSTGRESQL_SECRETS"/*-password; do
    role=${file##*/}
    printf '*:*:*:%s:%s\n' "${role%-password}" "$(sed 's/[\\:]/\\&/g' "$file")"
  done >"$PGPASSFILE.new"
  mv "$PGPASSFILE.new" "$PGPASSFILE"
}

# Bare values, and the first error ends it.
sql() {
  psql --no-psqlrc --tuples-only --no-align --quiet --no-password --set=ON_ERROR_STOP=1 "$@"
}

# In this pod, over the socket.
local_sql() {
  sql --host="$POSTGRESQL_RUN" --username=postgres --dbname=postgres --command="$1"
}

# remote_sql HOST[,HOST...] STATEMENT [more connection parameters]
remote_sql() {
  sql --dbname="host=$1 user=replicator dbname=postgres ${3:-}" --command="$2"
}

named_primary() {
  cat "$POSTGRESQL_TOPOLOGY"
}

is_named_primary() {
  [ "$(named_primary)" = "$POD_NAME" ]
}

takes_writes() {
  [ "$(local_sql 'SELECT pg_is_in_recovery()')" = f ]
}

# host_of ORDINAL
host_of() {
  # shellcheck disable=SC2059 # a format is what it is
  printf "$POSTGRESQL_HOST_FORMAT" "$1"
}

# The ordinals of the other servers.
others() {
  ordinal=0
  while [ "$ordinal" -lt "$POSTGRESQL_REPLICAS" ]; do
    [ "$ordinal" = "${POD_NAME##*-}" ] || echo "$ordinal"
    ordinal=$((ordinal + 1))
  done
}

# list_of ORDINAL...
list_of() {
  list=
  for ordinal in "$@"; do
    list="${list:+$list,}$(host_of "$ordinal")"
  done
  echo "$list"
}

other_hosts() {
  # shellcheck disable=SC2046 # one word each
  list_of $(others)
}

all_hosts() {
  # shellcheck disable=SC2046 # one word each
  list_of $(seq 0 $((POSTGRESQL_REPLICAS - 1)))
}

# Names of slots know no dashes.
own_slot() {
  echo "$POD_NAME" | tr - _
}

# The one of the other servers that accepts writes, now and after the next failover.
to_primary() {
  echo "host=$(other_hosts) user=replicator passfile=$PGPASSFILE application_name=$(own_slot) target_session_attrs=primary"
}

# ensure_slot HOST[,HOST...] NAME: the primary keeps what the slot's owner has not yet had. A lost slot no longer protects anything
# (and from 18 on cannot be used), so it is created again.
ensure_slot() {
  remote_sql "$1" "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
      WHERE slot_name = '$2' AND NOT active AND wal_status = 'lost';
    SELECT pg_create_physical_replication_slot('$2', true)
      WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$2')" target_session_attrs=primary >/dev/null
}

# copies_in FOLDER: backups or copies of the data, named by their time; the oldest first.
copies_in() {
  find "$1" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' | sort
}

# remove_old_copies FOLDER KEEP WORD: all but the newest KEEP.
remove_old_copies() {
  copies_in "$1" | sort -r | tail -n "+$(($2 + 1))" | while read -r old; do
    rm -rf "$old"
    say "${3:+$3 }${old##*/}: removed"
  done
}

# Since when (seconds of the epoch) this replica lags behind the primary; empty if it does not. It is stored beside the data, since an
# old copy is still old after a restart.
behind_since() {
  cat "$PGDATA.behind" 2>/dev/null || true
}

is_stale() {
  since=$(behind_since)
  [ -n "$since" ] && [ $(($(date +%s) - since)) -ge "$POSTGRESQL_STALE_SECONDS" ]
}

# Replaces the data by a copy of the primary's; the old data stays until the copy is complete.
clone() {
  rm -rf "$PGDATA.clone"
  ensure_slot "$(other_hosts)" "$(own_slot)" || return 1
  pg_basebackup --dbname="$(to_primary)" --pgdata="$PGDATA.clone" --wal-method=stream --slot="$(own_slot)" \
    --checkpoint=fast --no-password || return 1
  touch "$PGDATA.clone/standby.signal"
  rm -rf "$PGDATA"
  mv "$PGDATA.clone" "$PGDATA"
}
