#!/bin/bash -e
# Stops the service and waits for its end.
pid=$(ctx instance runtime-properties get pid)
folder=$(ctx instance runtime-properties folder)

is_running() {
  [ -n "${pid}" ] && kill -0 "${pid}" 2> /dev/null || return 1
  # after a reboot the number may belong to another process; a process that has ended has no command line
  [ ! -d /proc/self ] || grep -qsF "${folder}/program.mjs" "/proc/${pid}/cmdline"
}

if is_running; then
  kill "${pid}"
  for _ in $(seq 1 100); do
    is_running || break
    sleep 0.05
  done
  if is_running; then
    kill -9 "${pid}"
  fi
fi
ctx instance runtime-properties pop pid none > /dev/null
ctx instance runtime-properties pop url none > /dev/null
