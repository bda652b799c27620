#!/bin/sh
# Stands in for k2hdkctrove.sh of the Trove image (dbaas.md 4.3 and 8): registers the node, then rewrites the ini for
# ever, starts both helpers once there is one, and starts again those that are gone. The text is our own.
# Left out: the wait for earlier servers, backup and restore, forcing SERVICE IN. ENVIRONMENT_SECOND: length of its seconds.
set -u

# shellcheck source=tests/environments/libexec/lookup.sh
. /usr/libexec/k2hdkc-environments/lookup.sh
ini=$conf_dir/k2hdkc.ini
register=$conf_dir/register_k2hr3.sh

read_environment() {
  printf '%s\n' "${cluster_name-}" >"$conf_dir/cluster-name"
}

# given NAME: a variable of the registration script.
given() {
  sed -n "s/^$1='\(.*\)'\$/\1/p" "$register"
}

register_node() {
  until curl -s -f -m 10 -A extdata_k2hr3_trove -o "$register" "${extdata_url:?}"; do
    nap 5
  done
  given K2HR3_ROLE_NAME >"$conf_dir/k2hr3-role-name"
  given K2HR3_ROLE_TOKEN >"$conf_dir/k2hr3-role-token"
  given K2HR3_API_HOST_URI >"$conf_dir/k2hr3-api-uri"
  sh "$register"
}

# What TERM does, if the shell lives to see the end of its sleep: the node leaves its role.
unregister() {
  curl -s -m 10 -X DELETE \
    "$(cat "$conf_dir/k2hr3-api-uri")/v1/role/$(cat "$conf_dir/k2hr3-role-name")?cuk=$(cat /var/lib/cloud/data/instance-id)"
  exit 0
}

# helper_runs PROGRAM
helper_runs() {
  file=/var/run/antpickax/$1-service-helper.pid
  [ -f "$file" ] && [ -d "/proc/$(cat "$file")" ]
}

start_helper() {
  helper_runs "$1" && return 1
  rm -f "/var/run/antpickax/$1-service-helper.pid"
  nohup "/usr/libexec/$1-service-helper" start &
}

read_environment
register_node
nap 15
trap unregister TERM
while true; do
  nap 30
  /usr/libexec/k2hr3-get-resource-helper || continue
  cp -p "$ini" /var/lib/antpickax/k2hdkc/backup_k2hdkc.ini
  start_helper chmpx && nap 10
  start_helper k2hdkc && nap 10
done
