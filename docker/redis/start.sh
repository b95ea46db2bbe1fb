#!/bin/sh
# Starts Redis as Airflow's queue. The password goes into a file in memory, never into the arguments of a
# process, where everybody on the host could read it.
set -eu
umask 077

config="${REDIS_CONFIG:-/run/redis/redis.conf}"
# An assignment of its own: only so does a file that cannot be read stop the script.
password="$(cat "${REDIS_PASSWORD_FILE:-/run/secrets/redis_password}")"
: "${password:?the password file is empty}"
{
    # A queue, not a cache: when memory is full refuse new tasks rather than drop queued ones.
    printf 'maxmemory-policy noeviction\n'
    # Written to disk each second, so that a restart loses no queued task.
    printf 'appendonly yes\nappendfsync everysec\nsave ""\n'
    printf 'dir %s\n' "${REDIS_DATA:-/data}"
    printf 'port %s\n' "${REDIS_PORT:-6379}"
    printf 'requirepass %s\n' "$password"
} >"$config"

exec redis-server "$config"
