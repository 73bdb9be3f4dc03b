#!/usr/bin/env bash
# Three custodians certify a ministry, and its key for rosters, by its request.
#
#     new-body.sh FOLDER ROOT [--rehearsal]
#
# FOLDER is that of first-root.sh, with the request as request.vls (valiza credential request office:certify,roster); ROOT is the fingerprint of
# the root, as you have it on paper.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
if [ ! -e new-body.toml ]; then
    cp ceremony/root.vls root-1.vls
    valiza ceremony plan new-body -o new-body.toml --title "The ministry" --place Astana --root root-1.vls \
        --custodian aliya:"Aliya Serik" --custodian bolat:"Bolat Omar" --custodian erlan:"Erlan Nur" \
        --request request.vls --clearance 1 --certifies-bodies --operator timur:"Timur Aliev" --witness yerbol:"Yerbol Sadyk" --this-code
fi
"$here/lead.sh" . new-body "$2" "${@:3}"
