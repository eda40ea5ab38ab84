#!/bin/bash -e
# Makes a folder for the service and puts its program there.
folder=$(mktemp -d "/tmp/multi-tier-XXXXXX")
ctx download-resource "${program}" "${folder}/program.mjs" > /dev/null
ctx instance runtime-properties folder "${folder}"
