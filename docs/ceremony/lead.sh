#!/usr/bin/env bash
# Leads a ceremony of any kind by its plan, with nobody at the keyboard; then checks its transcript.
#
#     lead.sh FOLDER NAME [ROOT] [--rehearsal]
#
# FOLDER/NAME.toml is the plan, and FOLDER/NAME (or NAME-rehearsal) gets what comes of it. ROOT is the fingerprint of the root before, as you have it on paper.
# FOLDER/secrets holds NAME.passphrase for each custodian and witness; and NAME.share for each holder of a share, if a key is recovered. Each is
# read from a file descriptor of its own. New keys go to FOLDER/keys/NAME; a key that is brought is the newest of its owner in FOLDER/keys.
# Whatever stops this script, call it again: it goes on where it stopped.
set -euo pipefail
cd "$1"
name=$2
shift 2
root=
case "${1-}" in "" | --*) ;; *) root=$1 && shift ;; esac
out=$name
[[ $* != *--rehearsal* ]] || out=$name-rehearsal
umask 077
mkdir -p "keys/$out"

# The steps, from the plan: a name, and whether a key is made in it. In a rehearsal everybody makes one.
steps=$(valiza ceremony show "$name.toml" --json | awk -F '"' '/"id":/ { id = $4 } /"makes_key":/ { print id, (/true/ ? "made" : "brought") }')
digest=$(valiza ceremony show "$name.toml" --json | awk -F '"' '/"digest":/ { print $4 }')
[ "$out" = "$name" ] || steps=${steps//brought/made}

newest() { # of the keys of somebody, but for those of this ceremony
    find keys -name "$1.key" ! -path "keys/$out/*" ! -path "keys/*-rehearsal/*" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# What people would say and type, as a file of answers. No secret is among them, only the numbers of the descriptors that secrets come from.
{
    while read -r step made; do
        who=${step##*.}
        case $step in
        open) printf '[open]\npresent = true\nplan = "%s"\ncode = true\ntime = true\n%s\n' "$digest" "${root:+root = \"$root\"}" ;;
        key.* | recover.*)
            file=keys/$out/${step#*.}.key
            [ "$made" = made ] || file=$(newest "$who")
            printf '[%s]\nfile = "%s"\nheard = true\n' "$step" "$file"
            people+=("$who")
            ;;
        draft.*) printf '[%s]\nfingerprint = "shown"\n' "$step" ;;
        sign.* | sign-previous.* | attest.*) printf '[%s]\nsign = true\n' "$step" ;;
        esac
    done <<<"$steps"
    echo "[passphrase]"
    for who in $(printf '%s\n' "${people[@]}" | sort -u); do
        exec {descriptor}<"secrets/$who.passphrase"
        echo "$who = $descriptor"
    done
    echo "[share]"
    for file in secrets/*.share; do
        if [ -e "$file" ]; then
            exec {descriptor}<"$file"
            echo "$(basename "$file" .share) = $descriptor"
        fi
    done
} >"$name.answers.toml"

valiza ceremony run "$name.toml" --dir "$out" --answers "$name.answers.toml" "$@"

# Anybody can do this, years later and offline, with nothing but the transcript and the fingerprint that he has on paper.
valiza ceremony verify "$out/transcript.vls" ${root:+--root "$root"} "$@"
