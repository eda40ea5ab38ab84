#!/bin/bash -e
# Tells the application where the database is.
ctx source instance runtime-properties database_url "$(ctx target instance runtime-properties url)"
