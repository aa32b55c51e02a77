#!/bin/sh
# Starts MariaDB; the first start makes the data directory, the root password, the database and its
# user. Understands the variables of the official image, each also as NAME_FILE, and the older
# MYSQL_* names.
set -eu

data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

# Not echo, which reads backslashes in some shells.
say() { printf '%s\n' "$*"; }
note() { say "entrypoint: $*" >&2; }
die() { note "$*"; exit 1; }

# setting NAME: prints the value of MARIADB_NAME, MYSQL_NAME or of the file named by ..._FILE.
setting() {
    for prefix in MARIADB MYSQL; do
        eval "value=\${${prefix}_$1:-} file=\${${prefix}_$1_FILE:-}"
        if [ -n "$value" ] && [ -n "$file" ]; then
            die "both ${prefix}_$1 and ${prefix}_$1_FILE are set"
        fi
        if [ -n "$file" ]; then value=$(cat "$file"); fi
        if [ -n "$value" ]; then printf %s "$value"; return; fi
    done
}

# quote TEXT: TEXT as an SQL string.
quote() { printf "'%s'" "$(printf %s "$1" | sed -e 's/\\/\\\\/g' -e "s/'/''/g")"; }
# name TEXT: TEXT as an SQL identifier.
name() { printf '`%s`' "$(printf %s "$1" | sed -e 's/`/``/g')"; }

first_start() {
    root_password=$(setting ROOT_PASSWORD)
    database=$(setting DATABASE)
    user=$(setting USER)
    password=$(setting PASSWORD)
    random=$(setting RANDOM_ROOT_PASSWORD)
    if [ -n "$random" ]; then
        root_password=$(head -c 24 /dev/urandom | base64 | tr -d '/+=')
        note "generated root password: $root_password"
    fi
    if [ -z "$root_password" ] && [ -z "$(setting ALLOW_EMPTY_ROOT_PASSWORD)" ]; then
        die "set MARIADB_ROOT_PASSWORD, MARIADB_RANDOM_ROOT_PASSWORD or MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"
    fi
    if [ -n "$user" ] && [ -z "$password" ]; then die "MARIADB_USER needs MARIADB_PASSWORD"; fi

    note "making the data directory"
    # Made beside the final place and moved there last, so that an interrupted first start begins anew.
    fresh=$data/.fresh
    if [ -d "$fresh" ]; then
        find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    fi
    install -d -m 0750 "$fresh"
    # --force: a container need not be able to look its own name up.
    output=$(mariadb-install-db --datadir="$fresh" --auth-root-authentication-method=normal \
        --skip-test-db --skip-log-bin --force 2>&1) || die "mariadb-install-db failed: $output"
    mariadbd --datadir="$fresh" --socket="$socket" --skip-networking --skip-log-bin "$@" &
    server=$!
    tries=0
    until mariadb --socket="$socket" -uroot -e 'SELECT 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -le 120 ] || die "the temporary server did not start"
        kill -0 "$server" 2>/dev/null || die "the temporary server ended"
        sleep 0.25
    done

    {
        say 'SET @@SESSION.SQL_LOG_BIN = 0;'
        if [ -n "$database" ]; then
            say "CREATE DATABASE IF NOT EXISTS $(name "$database");"
        fi
        if [ -n "$user" ]; then
            say "CREATE USER $(quote "$user")@'%' IDENTIFIED BY $(quote "$password");"
            [ -z "$database" ] || say "GRANT ALL ON $(name "$database").* TO $(quote "$user")@'%';"
        fi
        host=$(setting ROOT_HOST)
        host=${host:-%}
        if [ -n "$root_password" ]; then
            if [ "$host" != localhost ]; then
                say "CREATE USER IF NOT EXISTS 'root'@$(quote "$host") IDENTIFIED BY $(quote "$root_password");"
                say "GRANT ALL ON *.* TO 'root'@$(quote "$host") WITH GRANT OPTION;"
            fi
            say "SET PASSWORD FOR 'root'@'localhost' = PASSWORD($(quote "$root_password"));"
        fi
        say 'FLUSH PRIVILEGES;'
    } | mariadb --socket="$socket" -uroot

    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh) note "running $script"; . "$script" ;;
            *.sql) note "running $script"; client "$database" <"$script" ;;
            *.sql.gz) note "running $script"; gunzip -c "$script" | client "$database" ;;
        esac
    done

    client '' -e SHUTDOWN
    wait "$server"
    # The system tables last: they say that all the rest has arrived.
    find "$fresh" -mindepth 1 -maxdepth 1 ! -name mysql -exec mv -t "$data" {} +
    mv "$fresh/mysql" "$data/mysql"
    rmdir "$fresh"
    note "the data directory is ready"
}

# client DATABASE [ARGS]: the client as root, on the temporary server.
client() {
    db=$1
    shift
    MYSQL_PWD=$root_password mariadb --socket="$socket" -uroot "$@" ${db:+"$db"}
}

case "${1:-mariadbd}" in
    -*) set -- mariadbd "$@" ;;
esac
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
    shift
    if [ "$(id -u)" = 0 ]; then
        install -d -o mysql -g mysql "$data" /run/mysqld
        exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" mariadbd "$@"
    fi
    [ -d "$data/mysql" ] || first_start "$@"
    exec mariadbd "$@"
fi
exec "$@"
