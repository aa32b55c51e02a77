#!/bin/sh
# Puts WordPress into /var/www/html on the first start, then runs the command. Replicas that share
# the directory wait for the one that copies.
set -eu

copy() {
    echo "entrypoint: copying WordPress to $PWD" >&2
    # Files first, the entry page last: a half-copied tree is copied again at the next start.
    tar --create --directory /usr/src/wordpress --exclude=./index.php . |
        tar --extract --skip-old-files
    cp -p /usr/src/wordpress/index.php index.php
}

configure() {
    echo "entrypoint: writing wp-config.php, which reads the WORDPRESS_* variables" >&2
    awk '
        /put your unique phrase here/ {
            command = "head -c 1m /dev/urandom | sha256sum | cut -d\\  -f1"
            command | getline key; close(command)
            gsub("put your unique phrase here", key)
        }
        { print }
    ' /usr/src/wordpress/wp-config-docker.php >.wp-config.fresh
    mv .wp-config.fresh wp-config.php
}

own() { if [ "$(id -u)" = 0 ]; then chown www-data:www-data "$@"; fi; }

case "${1:-}" in
    apache2*)
        exec 9>.kpkg-copy.lock
        flock 9
        if [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then own .; copy; fi
        if [ ! -e index.php ]; then copy; fi
        if [ ! -s wp-config.php ]; then configure; own wp-config.php; fi
        exec 9>&-
        ;;
esac
exec "$@"
