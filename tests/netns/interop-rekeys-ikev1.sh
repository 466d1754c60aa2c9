#!/bin/bash
# New children and new IKE SAs of version 1 with strongSwan, from either end, through a NAT and under traffic.
exec "$(dirname "$0")/interop-depth.sh" 'rekeys 1'
