#!/bin/sh
# Usage: oe_table_doc.sh OE_TABLE DOCUMENT. To renew it: build/src/oe/oe-table > docs/oe-table.md
set -eu
"$1" | diff - "$2"
# What is drawn fits a screen.
awk '/^```/ { drawn = !drawn } drawn && length > 72 { exit 1 }' "$2"
