#!/bin/bash
# The benchmark can measure everything that concerns Cygnet: it ends with 1 if not.
set -euo pipefail
exec "$(dirname "$(readlink -f "$0")")/../../bench/run" --quick
