# Holds the deploy lock for as long as somebody at the other end wants it. Reads lines: "beat" renews, "release" ends.
# Set before this text: dhow_lock (directory), dhow_details (base64), dhow_owner, dhow_host, dhow_pid.
dhow_now() { date +%s; }
dhow_field() { sed -n "s/^$1=//p" "$dhow_lock/lease" 2>/dev/null; }
dhow_renew() {
  printf 'owner=%s\nhost=%s\npid=%s\nholder=%s\nexpiry=%s\n' \
    "$dhow_owner" "$dhow_host" "$dhow_pid" "$$" "$(($(dhow_now) + 30))" >"$dhow_lock/lease.$$" &&
    mv -f "$dhow_lock/lease.$$" "$dhow_lock/lease"
}
dhow_mine() { [ "$(dhow_field holder)" = "$$" ]; }
dhow_drop() { if dhow_mine; then rm -rf "$dhow_lock"; fi; }
# A lock whose lease has run out, or whose holder is no more, is nobody's. Moving it away first lets only one taker win.
dhow_break() { mv "$dhow_lock" "$dhow_lock.$$" 2>/dev/null && rm -rf "$dhow_lock.$$"; }
dhow_take() {
  dhow_tries=0
  until mkdir "$dhow_lock" 2>/dev/null; do
    if ! [ -d "$dhow_lock" ]; then
      mkdir "$dhow_lock" && return 0
      [ -d "$dhow_lock" ] || return 2
    fi
    dhow_expiry=$(dhow_field expiry) dhow_holder=$(dhow_field holder)
    if [ -n "$dhow_expiry" ]; then
      if [ "$dhow_expiry" -le "$(dhow_now)" ] || ! kill -0 "$dhow_holder" 2>/dev/null; then
        dhow_break
        continue
      fi
      # Renewed every 10 s: one with less than 18 s left has missed a beat, and will most likely run out.
      if [ "$dhow_expiry" -lt "$(($(dhow_now) + 18))" ]; then
        echo waiting
        sleep 1
        continue
      fi
    elif [ -e "$dhow_lock/details" ]; then
      return 1
    fi
    # A holder whose deployer was just killed needs a moment to see it; a lock that is being made needs one to get its files.
    dhow_tries=$((dhow_tries + 1))
    [ "$dhow_tries" -lt 15 ] || return 1
    sleep 0.1
  done
}
dhow_hold() {
  mkdir -p .kamal || exit 1
  dhow_take
  case $? in
    0) ;;
    1)
      echo held
      base64 -d <"$dhow_lock/details"
      echo
      exit 0
      ;;
    *) exit 1 ;;
  esac
  dhow_renew || exit 1
  trap dhow_drop EXIT
  trap 'exit 1' HUP INT TERM PIPE
  printf '%s' "$dhow_details" >"$dhow_lock/details" || exit 1
  (
    trap - EXIT
    exec </dev/null >/dev/null 2>&1
    while sleep 2; do
      dhow_mine || exit 0
      [ "$(dhow_field expiry)" -gt "$(dhow_now)" ] && continue
      dhow_drop
      kill -TERM $$
      exit 0
    done
  ) &
  dhow_watcher=$!
  echo taken
  while read -r dhow_line; do
    case $dhow_line in
      beat)
        if dhow_mine && dhow_renew; then echo renewed; else
          echo lost
          break
        fi
        ;;
      *) break ;;
    esac
  done
  dhow_drop
  trap - EXIT
  kill "$dhow_watcher" 2>/dev/null
  echo released
}
dhow_hold
