#!/usr/bin/env bash
# The key of the ministry was stolen: the root, now in its second version, revokes its credential, and certifies the key that it made instead.
#
#     compromise.sh FOLDER ROOT NUMBER [--rehearsal]
#
# FOLDER is that of new-body.sh and rotation.sh, with the ministry's new request as anew.vls (valiza credential renew office:certify), for which
# its earlier keys vouch; ROOT is the fingerprint of the second root; NUMBER is one more than that of the root's last revocation
# (valiza revocation list).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
if [ ! -e compromise.toml ]; then
    cp rotation/root.vls root-2.vls
    cp new-body/credential-1.vls certify.vls
    cp new-body/credential-2.vls roster.vls
    valiza ceremony plan compromise -o compromise.toml --title "The ministry's key was stolen" --place Astana --root root-1.vls --root root-2.vls \
        --custodian aliya:"Aliya Serik" --custodian dana:"Dana Akhmet" --custodian madina:"Madina Ospan" \
        --revoke certify.vls --kind compromised --reason stolen --number "$3" \
        --request anew.vls --known certify.vls --known roster.vls --clearance 1 --certifies-bodies \
        --operator timur:"Timur Aliev" --witness zhanar:"Zhanar Bek" --this-code
fi
"$here/lead.sh" . compromise "$2" "${@:4}"
