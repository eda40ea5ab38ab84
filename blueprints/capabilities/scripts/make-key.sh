#!/bin/bash -e
# Makes a random key.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
ctx instance runtime-properties key "${key}"
