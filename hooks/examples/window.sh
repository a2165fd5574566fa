#!/bin/sh
# Lets an import begin inside a maintenance window only; outside it ends quietly with 75 (try later).
#
#   [[hooks]]
#   run = ["/etc/safe-lightning/window.sh", "22:00-05:30"]
#
# The times are local (TZ is honoured) and the end is not part of the window. A window that cannot be understood is
# a broken hook and stops the run: nobody wants a typing error to open the window.
set -u

window=${1:-${WINDOW:-}}
case $window in
[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]) ;;
*)
    echo "the window '$window' is not of the form 22:00-05:30" >&2
    exit 2
    ;;
esac

from=$(echo "${window%-*}" | tr -d :)
to=$(echo "${window#*-}" | tr -d :)
now=$(date +%H%M) || exit 2
if [ "$from" -gt 2359 ] || [ "$to" -gt 2400 ] || [ "$from" -eq "$to" ]; then
    echo "the window '$window' is not one of a day" >&2
    exit 2
fi

if [ "$from" -lt "$to" ]; then
    { [ "$now" -ge "$from" ] && [ "$now" -lt "$to" ]; } || late=1
else
    { [ "$now" -ge "$from" ] || [ "$now" -lt "$to" ]; } || late=1
fi
if [ -n "${late:-}" ]; then
    echo "it is $(date +%H:%M), the window is $window"
    exit 75
fi
echo "inside the window $window"
