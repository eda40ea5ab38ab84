#!/bin/bash -e
pid=$(ctx instance runtime-properties pid)
folder=$(ctx instance runtime-properties folder)

is_running() {
  kill -0 "${pid}" 2> /dev/null || return 1
  # after a reboot the number may belong to another process; a process that has ended has no command line
  [ ! -d /proc/self ] || grep -qsF "${folder}/server.mjs" "/proc/${pid}/cmdline"
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
  ctx logger info "The server (process ${pid}) is stopped"
else
  ctx logger info "The server was not running any more"
fi
