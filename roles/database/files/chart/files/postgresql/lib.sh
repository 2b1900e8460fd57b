# shellcheck shell=sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the other scripts share. One rule governs them all: only the server that the file $POSTGRESQL_TOPOLOGY names may take
# writes. The file is a ConfigMap of the cluster, and whoever fails over by hand changes it first.
set -eu
umask 077

: "${POSTGRESQL_SECRETS:=/etc/postgresql/secrets}"
: "${POSTGRESQL_RUN:=/var/run/postgresql}"
: "${POSTGRESQL_PORT:=5432}"

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

# In this pod, over the socket.
local_sql() {
  psql --host="$POSTGRESQL_RUN" --username=postgres --dbname=postgres --no-psqlrc --tuples-only --no-align --quiet \
    --set=ON_ERROR_STOP=1 --command="$1"
}

# remote_sql HOST[,HOST...] STATEMENT [more connection parameters]
remote_sql() {
  psql "host=$1 user=replicator dbname=postgres ${3:-}" --no-psqlrc --tuples-only --no-align --quiet --no-password \
    --set=ON_ERROR_STOP=1 --command="$2"
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

other_hosts() {
  list=
  for ordinal in $(others); do
    list="${list:+$list,}$(host_of "$ordinal")"
  done
  echo "$list"
}

# Names of slots know no dashes.
own_slot() {
  echo "$POD_NAME" | tr - _
}

# Whichever of the others takes writes, now and after the next failover.
to_primary() {
  echo "host=$(other_hosts) user=replicator passfile=$PGPASSFILE application_name=$(own_slot) target_session_attrs=primary"
}

# The primary keeps what this server has not yet had.
ensure_slot() {
  remote_sql "$(other_hosts)" "SELECT pg_create_physical_replication_slot('$(own_slot)', true)
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$(own_slot)')" target_session_attrs=primary >/dev/null
}

# Replaces the data by a copy of the primary's; the old data stays until the copy is complete.
clone() {
  rm -rf "$PGDATA.clone"
  ensure_slot || return 1
  pg_basebackup --dbname="$(to_primary)" --pgdata="$PGDATA.clone" --wal-method=stream --slot="$(own_slot)" \
    --checkpoint=fast --no-password || return 1
  touch "$PGDATA.clone/standby.signal"
  rm -rf "$PGDATA"
  mv "$PGDATA.clone" "$PGDATA"
}
