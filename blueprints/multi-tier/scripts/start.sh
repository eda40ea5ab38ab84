#!/bin/bash -e
# Starts the service in the background, in a session of its own, and waits until it answers.
# DATABASE_URL is for services that a relationship has told about a database.
folder=$(ctx instance runtime-properties folder)
rm -f "${folder}/address"

export PORT="${port}" FOLDER="${folder}" HOST_IP NAME DATABASE_URL
HOST_IP=$(ctx instance host-ip)
NAME=$(ctx instance id)
DATABASE_URL=$(ctx instance runtime-properties get database_url)

setsid "${GANTRY_NODE:-node}" "${folder}/program.mjs" > "${folder}/service.log" 2>&1 < /dev/null &
pid=$!
ctx instance runtime-properties pid "@${pid}"

for _ in $(seq 1 100); do
  if [ -s "${folder}/address" ]; then
    url=$(cat "${folder}/address")
    ctx instance runtime-properties url "${url}"
    ctx logger info "${NAME} (process ${pid}) answers at ${url}"
    exit 0
  fi
  if ! kill -0 "${pid}" 2> /dev/null; then
    break
  fi
  sleep 0.1
done
ctx logger error "${NAME} did not start: $(tail -n 5 "${folder}/service.log")"
exit 1
