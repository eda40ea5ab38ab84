#!/bin/bash -e
# Gives the application an account in the database.
client=$(ctx source instance id)
url=$(ctx target instance runtime-properties url)
"${GANTRY_NODE:-node}" -e '
  const [url, name] = process.argv.slice(1);
  fetch(`${url}accounts/${name}`, { method: "PUT" }).then((response) => process.exit(response.ok ? 0 : 1));
' "${url}" "${client}"
ctx logger info "${client} has an account in the database at ${url}"
