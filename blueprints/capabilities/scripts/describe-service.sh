#!/bin/bash -e
# Publishes where the service is; a value of several parts is given as JSON behind an @.
ctx instance runtime-properties address "@{\"host\": \"service.${region}.example.com\", \"port\": ${port}}"
