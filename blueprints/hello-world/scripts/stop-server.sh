#!/bin/bash -e
pid=$(ctx instance runtime-properties pid)
folder=$(ctx instance runtime-properties folder)
# after a reboot the number may belong to another process
if grep -qsF "${folder}/server.mjs" "/proc/${pid}/cmdline" || ps -p "${pid}" -o args= 2>/dev/null | grep -qF "${folder}/server.mjs"; then
  kill "${pid}"
  while kill -0 "${pid}" 2>/dev/null; do
    sleep 0.05
  done
  ctx logger info "The server (process ${pid}) is stopped"
else
  ctx logger info "The server was not running any more"
fi
