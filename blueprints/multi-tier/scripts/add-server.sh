#!/bin/bash -e
# Tells the web server about an application server.
server=$(ctx target instance id)
web=$(ctx source instance runtime-properties url)
"${GANTRY_NODE:-node}" -e '
  const [web, name, url] = process.argv.slice(1);
  fetch(`${web}servers/${name}`, { method: "PUT", body: url }).then((response) => process.exit(response.ok ? 0 : 1));
' "${web}" "${server}" "$(ctx target instance runtime-properties url)"
ctx logger info "The web server sends visitors to ${server}"
