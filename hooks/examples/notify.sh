#!/bin/sh
# Tells somebody how the import ended (or, before the import, that it begins).
#
#   [[hooks]]
#   run = ["/etc/safe-lightning/notify.sh"]
#   stage = "post-import"
#   when = ["checksum-mismatch", "hung", "damaged"]     # leave it out to hear of every end
#
# NOTIFY_COMMAND  what is given the text on its standard input; words are split at blanks, no quotes.
#                 Default: logger -t safe-lightning. By mail: mail -s tidb-lightning dba@example.com
#
# Nobody's import waits for a message: where it cannot be sent, the verdict is a warning.
set -u

warn() {
    printf '{"schema": 1, "status": "warn", "code": "not-notified", "message": "%s"}\n' "$1" >"$SAFE_LIGHTNING_VERDICT"
    exit 0
}

if [ "$SAFE_LIGHTNING_STAGE" = pre-import ]; then
    what="begins"
else
    what="ended: $SAFE_LIGHTNING_OUTCOME (exit code ${SAFE_LIGHTNING_CHILD_EXIT_CODE:-none})"
fi

set -f # a * in the command is a word, not a pattern
# shellcheck disable=SC2086
set -- ${NOTIFY_COMMAND:-logger -t safe-lightning}
[ $# -gt 0 ] || warn "NOTIFY_COMMAND is blank"
command -v "$1" >/dev/null || warn "the command in NOTIFY_COMMAND was not found"

"$@" <<END || warn "the command in NOTIFY_COMMAND failed"
The import on $(uname -n) $what.
Run $SAFE_LIGHTNING_RUN_ID, attempt $SAFE_LIGHTNING_ATTEMPT.
Record: ${SAFE_LIGHTNING_RUN_DIR:-none was kept}
END
echo "told by $1: the import $what"
