#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# restore_to_time.sh TIME [DATABASE]: database DATABASE as it was at TIME ('2026-11-30 06:00:00+00', or latest), restored beside the one that
# serves, into $RESTORE_TARGET (DATABASE_at_time). Runs in the archive's pod: a server of its own replays the WAL up to then, and a dump of it goes
# to the primary.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump.sh"

time=${1:?restore_to_time.sh TIME [DATABASE]}
database=${2:-$POSTGRESQL_DATABASE}
target=${RESTORE_TARGET:-${database}_at_time}
scratch="$ARCHIVE_FOLDER/.scratch"
run="$ARCHIVE_FOLDER/.run"
if [ "$time" = latest ]; then
  wanted=$(date +%s)
  until=
else
  wanted=$(date -u -d "$time" +%s) || die "'$time' is not a valid time; write for example '2026-11-30 06:00:00+00'"
  until="recovery_target_time = '$(date -u -d "@$wanted" '+%Y-%m-%d %H:%M:%S+00')'"
fi

exec 9>"$ARCHIVE_FOLDER/.lock"
flock -n 9 || die "another restore runs"
trap 'stop_scratch; rm -rf "$run"' EXIT
stop_scratch

# The newest copy that was complete by then.
base=
for folder in $(copies_in "$ARCHIVE_FOLDER/base"); do
  [ "$(cat "$folder/end")" -gt "$wanted" ] || base=$folder
done
[ -n "$base" ] || die "no copy of the data is as old as $time; there are: $(cd "$ARCHIVE_FOLDER/base" && echo [0-9]*Z)"

mkdir -p "$scratch" "$run"
tar -xzf "$base/base.tar.gz" -C "$scratch"
tar -xzf "$base/pg_wal.tar.gz" -C "$scratch/pg_wal"
rm -f "$scratch/standby.signal" "$scratch/postgresql.auto.conf"
touch "$scratch/recovery.signal"
# Only this container reaches it, and only by its socket.
echo 'local all postgres peer' >"$scratch/pg_hba.conf"
cat >"$scratch/restore.conf" <<CONF
restore_command = 'for f in pool/%f incoming/%f incoming/%f.partial pool/%f.partial; do cp "$ARCHIVE_FOLDER/wal/\$f" "%p" 2>/dev/null && exit 0; done; exit 1'
recovery_target_timeline = '${ARCHIVE_TIMELINE:-latest}'
recovery_target_action = promote
$until
hot_standby = off
listen_addresses = ''
unix_socket_directories = '$run'
hba_file = '$scratch/pg_hba.conf'
shared_buffers = 64MB
max_wal_senders = 0
autovacuum = off
fsync = off
CONF
say "replaying from copy ${base##*/} to $time"
in_scratch() {
  PGHOST="$run" PGUSER=postgres "$@"
}
pg_ctl start --no-wait --silent --pgdata="$scratch" --log="$scratch/log" --options="-c config_file='$scratch/restore.conf'"
until in_scratch pg_isready --quiet; do
  sleep 0.5
  pg_ctl status --pgdata="$scratch" >/dev/null 2>&1 ||
    die "the server did not get there (is the time after the last change? 'latest' replays everything): $(tail -n 5 "$scratch/log")"
done

in_scratch psql --dbname=postgres --no-psqlrc --tuples-only --no-align --set=ON_ERROR_STOP=1 \
  --command="SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1" >"$scratch/roles"
in_scratch pg_dump --dbname="$database" --format=custom --file="$scratch/restored.dump"
say "$(sed -n 's/.*LOG:  \(recovery stopping .*\|last completed transaction .*\)/\1/p' "$scratch/log" | tr '\n' ';')"

write_passwords
export PGUSER=postgres
restore_into "$target" "$scratch/restored.dump" "$scratch/roles"
say "database $database as of $time is database $target on the primary"
