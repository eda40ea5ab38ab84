#!/bin/bash -e
# Starts the web server in the background and waits until it answers.
folder=$(ctx instance runtime-properties folder)
ctx download-resource web/server.mjs "${folder}/server.mjs"
rm -f "${folder}/address"

setsid "${GANTRY_NODE:-node}" "${folder}/server.mjs" "${folder}" "${port}" \
  > "${folder}/server.log" 2>&1 < /dev/null &
pid=$!
ctx instance runtime-properties pid "${pid}"

for _ in $(seq 1 100); do
  if [ -s "${folder}/address" ]; then
    url=$(cat "${folder}/address")
    ctx instance runtime-properties url "${url}"
    ctx logger info "The server (process ${pid}) answers at ${url}"
    exit 0
  fi
  if ! kill -0 "${pid}" 2>/dev/null; then
    break
  fi
  sleep 0.1
done
ctx logger error "The server did not start: $(tail -n 5 "${folder}/server.log")"
exit 1
