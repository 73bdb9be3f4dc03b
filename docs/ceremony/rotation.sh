#!/usr/bin/env bash
# Two years after the first root (first-root.sh): Gulnar leaves, Madina comes, Dana makes a new key; the others keep theirs.
#
#     rotation.sh FOLDER ROOT [--rehearsal]
#
# FOLDER is that of first-root.sh, with secrets of the new ones too; ROOT is the fingerprint of the first root, as you have it on paper.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
if [ ! -e rotation.toml ]; then
    cp ceremony/root.vls root-1.vls # whatever a plan names lies beside it
    valiza ceremony plan rotation -o rotation.toml --title "Madina comes" --place Astana --root root-1.vls \
        --keeps aliya:"Aliya Serik" --keeps bolat:"Bolat Omar" --keeps erlan:"Erlan Nur" \
        --custodian dana:"Dana Akhmet" --custodian madina:"Madina Ospan" --leaves gulnar:"Gulnar Abai" --operator timur:"Timur Aliev" \
        --witness yerbol:"Yerbol Sadyk" --this-code
fi
"$here/lead.sh" . rotation "$2" "${@:3}"
