#!/bin/bash -e
# Configures the client with what the provider offers.
ctx instance runtime-properties configuration "region ${region}, service ${host}:${port}, key of ${#key} characters"
ctx logger info "The client uses the service at ${host}:${port}"
