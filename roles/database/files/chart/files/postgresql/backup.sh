#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Dumps every database into $BACKUP_FOLDER/<time>, restores it into a server of this pod's own, compares every row, and keeps the newest
# $BACKUP_KEEP. A folder <time> was restored and is equal, or it is not there: what was not is called <time>.unverified, and the job fails.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump.sh"
write_passwords
export PGUSER=backup

exec 9>"$BACKUP_FOLDER/.lock"
flock -n 9 || die "another backup or restore uses the volume; try again when it has ended"

name=$(date -u +%Y%m%dT%H%M%SZ)
partial="$BACKUP_FOLDER/.$name.partial"
scratch="$BACKUP_FOLDER/.scratch"
trap 'stop_scratch; rm -rf "$partial"' EXIT
# A pod that was killed left its own.
rm -rf "$BACKUP_FOLDER"/.*.partial "$scratch"
mkdir "$partial"

# ask HOST STATEMENT
ask() {
  sql --dbname="host=$1 dbname=postgres" --command="$2"
}

# The primary knows which replica streams from it and has replayed all that was committed before this backup began. A dump of that one
# spares the primary the work. A replica itself may be weeks behind, or of another history, and not know it.
choose_source() {
  now=$(ask "$PGHOST" 'SELECT pg_current_wal_lsn()')
  streaming="FROM pg_stat_replication WHERE state = 'streaming' AND application_name ~ '^postgresql_[0-9]+\$'"
  patience=${BACKUP_PATIENCE:-60}
  while [ "$(ask "$PGHOST" "SELECT count(*) $streaming")" -gt 0 ]; do
    ordinal=$(ask "$PGHOST" "SELECT substring(application_name from '[0-9]+\$') $streaming AND replay_lsn >= '$now' ORDER BY replay_lsn DESC LIMIT 1")
    if [ -n "$ordinal" ]; then
      host_of "$ordinal"
      return 0
    fi
    [ "$patience" -gt 0 ] || break
    sleep 1
    patience=$((patience - 1))
  done
  echo "$PGHOST"
}

source=$(choose_source)
[ "$source" != "$PGHOST" ] || say "there is no replica that has what the primary has: dumping the primary"
databases=$(ask "$source" "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1")
[ -n "$databases" ] || die "there is no database to back up"
# Policies and grants name roles, which a dump does not contain.
ask "$source" "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1" >"$partial/roles"
for database in $databases; do
  dump_with_digest "$source" "$database" "$partial" || die "database $database could not be dumped from $source"
done
(cd "$partial" && sha256sum -- * >SHA256SUMS)
sync

verified=yes
if [ "$BACKUP_VERIFY" = true ]; then
  verify "$partial" "$databases" || verified=
  stop_scratch
fi
rm -rf "$BACKUP_FOLDER"/*.unverified
if [ -z "$verified" ]; then
  mv "$partial" "$BACKUP_FOLDER/$name.unverified"
  die "$name: dumped, but it could not be restored and compared; it is kept as $name.unverified, and no older backup is removed"
fi
mv "$partial" "$BACKUP_FOLDER/$name"
say "$name: $(du -sk "$BACKUP_FOLDER/$name" | cut -f1) KiB of $source"

remove_old_copies "$BACKUP_FOLDER" "$BACKUP_KEEP" ""
say "there are: $(cd "$BACKUP_FOLDER" && echo [0-9]*)"
