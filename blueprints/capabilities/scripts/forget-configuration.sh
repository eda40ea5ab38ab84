#!/bin/bash -e
ctx instance runtime-properties pop configuration none > /dev/null
