#!/bin/bash
# New children of version 1 with strongSwan from either end, and new IKE SAs from its end, through a NAT and under
# traffic.
exec "$(dirname "$0")/interop-depth.sh" 'rekeys 1'
