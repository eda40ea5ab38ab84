#!/bin/bash -e
# Writes the page, with the greeting in it, into a folder of its own.
folder=$(mktemp -d "/tmp/hello-world-XXXXXX")
ctx download-resource-and-render web/index.html "${folder}/index.html"
ctx instance runtime-properties folder "${folder}"
ctx logger info "The page is in ${folder}"
