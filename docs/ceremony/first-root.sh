#!/usr/bin/env bash
# A first root with five custodians, of whom three speak for the party, made by a script; then the transcript is checked.
#
#     first-root.sh FOLDER            for earnest
#     first-root.sh FOLDER --rehearsal
#
# FOLDER/secrets holds one passphrase a file, NAME.passphrase, for each custodian and the witness; where they come from (a password manager, a
# keyboard in another room) is your business. Each is read from a file descriptor of its own, and written nowhere. FOLDER/keys gets the key files;
# in earnest each would be on the medium of its owner. Whatever stops this script, call it again: it goes on where it stopped.
set -euo pipefail
cd "$1"
shift
custodians=(aliya bolat dana erlan gulnar)
everybody=("${custodians[@]}" saule)
umask 077
mkdir -p keys

# The plan, once. People agree on it, and on its digest, before anything is made.
if [ ! -e root.toml ]; then
    valiza ceremony plan new-root -o root.toml --title "The first root of Kazakhstan" --place Astana \
        --party KZ --name en=Kazakhstan --name kk=Қазақстан --degrees 1,2,3 --threshold 3 \
        --valid-from 2026-01-01T00:00:00Z --operator timur:"Timur Aliev" \
        --custodian aliya:"Aliya Serik" --custodian bolat:"Bolat Omar" --custodian dana:"Dana Akhmet" \
        --custodian erlan:"Erlan Nur" --custodian gulnar:"Gulnar Abai" --witness saule:"Saule Zhan" --this-code
fi
digest=$(valiza ceremony show root.toml --json | sed -n 's/^  "digest": "\(.*\)",$/\1/p')

# The answers: what people would say and type. No secret is among them, only the numbers of the descriptors that secrets come from.
{
    echo "[passphrase]"
    descriptor=10
    for name in "${everybody[@]}"; do
        echo "$name = $((descriptor++))"
    done
    printf '[open]\npresent = true\nplan = "%s"\ncode = true\ntime = true\n' "$digest"
    printf '[draft.root]\nfingerprint = "shown"\n'
    for name in "${everybody[@]}"; do
        printf '[key.%s]\nfile = "keys/%s.key"\nheard = true\n' "$name" "$name"
        printf '[attest.%s]\nsign = true\n' "$name"
    done
    for name in "${custodians[@]}"; do
        printf '[sign.root.%s]\nsign = true\n' "$name"
    done
} >answers.toml

valiza ceremony run root.toml --dir ceremony --answers answers.toml "$@" \
    10<secrets/aliya.passphrase 11<secrets/bolat.passphrase 12<secrets/dana.passphrase \
    13<secrets/erlan.passphrase 14<secrets/gulnar.passphrase 15<secrets/saule.passphrase

# Anybody can do this, years later and offline, with nothing but the transcript and the fingerprint that he has on paper.
valiza ceremony verify ceremony/transcript.vls "$@"
