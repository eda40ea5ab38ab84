#!/bin/bash -e
# Makes the web server forget an application server; a web server that is gone already knows none.
server=$(ctx target instance id)
web=$(ctx source instance runtime-properties get url)
if [ -n "${web}" ]; then
  "${GANTRY_NODE:-node}" -e '
    const [web, name] = process.argv.slice(1);
    fetch(`${web}servers/${name}`, { method: "DELETE" }).then(() => process.exit(0), () => process.exit(0));
  ' "${web}" "${server}"
fi
