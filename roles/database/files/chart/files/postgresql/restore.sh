#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Restores $RESTORE_DATABASE of backup $RESTORE_BACKUP (latest, or a folder's name) into database $RESTORE_TARGET, which is made
# if it is missing and must be empty if it is there: a restore never overwrites.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump.sh"
write_passwords
export PGUSER=postgres

backup=$RESTORE_BACKUP
if [ "$backup" = latest ]; then
  backup=$(copies_in "$BACKUP_FOLDER" | tail -n 1)
  backup=${backup##*/}
fi
dump="$BACKUP_FOLDER/$backup/$RESTORE_DATABASE.dump"
[ -n "$backup" ] && [ -e "$dump" ] || die "there is no backup '$backup' of $RESTORE_DATABASE; there are: $(cd "$BACKUP_FOLDER" && echo *)"
(cd "$BACKUP_FOLDER/$backup" && sha256sum --check --quiet SHA256SUMS) || die "backup $backup is damaged; choose another one"

restore_into "$RESTORE_TARGET" "$dump" "$BACKUP_FOLDER/$backup/roles"
say "backup $backup of $RESTORE_DATABASE is restored into database $RESTORE_TARGET"
