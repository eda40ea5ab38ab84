#!/bin/bash -e
# Takes the application's account away; a database that is gone already has none.
client=$(ctx source instance id)
url=$(ctx target instance runtime-properties get url)
if [ -n "${url}" ]; then
  "${GANTRY_NODE:-node}" -e '
    const [url, name] = process.argv.slice(1);
    fetch(`${url}accounts/${name}`, { method: "DELETE" }).then(() => process.exit(0), () => process.exit(0));
  ' "${url}" "${client}"
fi
