#!/bin/bash -e
# Tells the server where the page is.
ctx source instance runtime-properties folder "$(ctx target instance runtime-properties folder)"
