# shellcheck shell=sh
# How upstream's helpers find a value of their configuration (dbaas.md 2.3), their bug included: where override.conf
# exists, a key that is not in it is empty, and the helper's own file is not asked.

conf_dir=${ENVIRONMENT_CONF_DIR:-/etc/antpickax}

# value_in FILE KEY: the last one wins.
value_in() {
  sed -n "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*//p" "$1" 2>/dev/null | sed 's/[[:space:]]*$//' | tail -n 1
}

# value_of CONF KEY
value_of() {
  own=$conf_dir/$1
  if [ ! -f "$conf_dir/override.conf" ]; then
    value_in "$own" "$2"
    return
  fi
  found=$(value_in "$conf_dir/override.conf" "$1:$2")
  case $found in
  *:*:*) ;;
  *:*)
    file=${found%%:*}
    case $file in
    /*) ;;
    *) file=$conf_dir/$file ;;
    esac
    if [ -f "$file" ]; then
      value_in "$file" "${found#*:}"
    else
      value_in "$own" "$2"
    fi
    ;;
  *) echo "$found" ;;
  esac
}

# nap SECONDS: of the environment's seconds, which ENVIRONMENT_SECOND makes shorter.
nap() {
  sleep "$(awk -v n="$1" -v second="${ENVIRONMENT_SECOND:-1}" 'BEGIN { print n * second }')"
}
