#!/bin/sh
# Fills /etc/nginx/templates/*.template from the environment, runs /docker-entrypoint.d/*.sh, then
# the command.
set -eu
if [ "${1:-}" = nginx ]; then
    defined=$(env | cut -d= -f1 | sed 's/.*/${&}/' | tr '\n' ' ')
    for template in /etc/nginx/templates/*.template; do
        [ -e "$template" ] || continue
        envsubst "$defined" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
    done
    for script in /docker-entrypoint.d/*.sh; do
        [ -x "$script" ] || continue
        "$script"
    done
fi
exec "$@"
