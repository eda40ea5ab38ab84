#!/bin/bash -e
folder=$(ctx instance runtime-properties folder)
# only what create.sh has made, whatever the property says by now
case "${folder}" in
  /tmp/multi-tier-??????) rm -rf "${folder}" ;;
esac
