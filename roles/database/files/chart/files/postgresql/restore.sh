#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Restores $RESTORE_DATABASE of backup $RESTORE_BACKUP (latest, or a folder's name) into database $RESTORE_TARGET, which is made
# if it is missing and must be empty if it is there: a restore never overwrites.
. "$(dirname "$0")/lib.sh"
write_passwords
export PGUSER=postgres

backup=$RESTORE_BACKUP
if [ "$backup" = latest ]; then
  backup=$(find "$BACKUP_FOLDER" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' | sort | tail -n 1)
  backup=${backup##*/}
fi
dump="$BACKUP_FOLDER/$backup/$RESTORE_DATABASE.dump"
[ -n "$backup" ] && [ -e "$dump" ] || die "there is no backup '$backup' of $RESTORE_DATABASE; there are: $(cd "$BACKUP_FOLDER" && echo *)"
(cd "$BACKUP_FOLDER/$backup" && sha256sum --check --quiet SHA256SUMS) || die "backup $backup is damaged; choose another one"

query() {
  psql --dbname="$1" --no-psqlrc --tuples-only --no-align --quiet --no-password --set=ON_ERROR_STOP=1 \
    --set=target="$RESTORE_TARGET" --set=app="$POSTGRESQL_USER"
}

echo "SELECT format('CREATE DATABASE %I OWNER %I', :'target', :'app')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'target') \\gexec" | query postgres
tables=$(echo "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'S', 'v', 'm')
  AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')" | query "$RESTORE_TARGET")
[ "$tables" = 0 ] || die "database $RESTORE_TARGET is not empty: name another one, which is made"

# All or nothing, and owned by the application's role whoever owned it before.
pg_restore --dbname="$RESTORE_TARGET" --single-transaction --exit-on-error --no-owner --no-privileges --role="$POSTGRESQL_USER" \
  --no-password "$dump"
echo 'ANALYZE' | query "$RESTORE_TARGET"
say "backup $backup of $RESTORE_DATABASE is restored into database $RESTORE_TARGET"
