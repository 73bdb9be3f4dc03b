"""Writes the test vectors: specs/vectors/*.vector and what they share in specs/vectors/world/.

    python specs/vectors/generate/generate.py

Everything comes from fixed seeds, so the files come out the same each time. README.md beside the vectors says how they look.
"""

from __future__ import annotations

import cases_agreement
import cases_answers
import cases_backup
import cases_clearance
import cases_credential
import cases_designation
import cases_encoding
import cases_envelope
import cases_evidence
import cases_fingerprint
import cases_keyfile
import cases_log
import cases_mail
import cases_payload
import cases_receipt
import cases_request
import cases_revocation
import cases_roster
import cases_signer
import cases_splice
import cases_statement
import cases_transcript
import cases_transport
from cases import WORLD, Case
from reader import VECTORS
from reader import WORLD as FOLDER

MODULES = (
    cases_encoding,
    cases_statement,
    cases_credential,
    cases_fingerprint,
    cases_request,
    cases_roster,
    cases_agreement,
    cases_clearance,
    cases_envelope,
    cases_payload,
    cases_splice,
    cases_answers,
    cases_receipt,
    cases_transport,
    cases_transcript,
    cases_revocation,
    cases_designation,
    cases_backup,
    cases_keyfile,
    cases_signer,
    cases_log,
    cases_evidence,
    cases_mail,
)


def all_cases() -> list[Case]:
    """Every case; two of one name are a mistake."""
    found = [case for module in MODULES for case in module.cases()]
    names = [case.name for case in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"names that stand twice: {sorted(twice)}")
    return found


def main() -> None:
    """Replace all vectors by new ones."""
    found = all_cases()
    FOLDER.mkdir(exist_ok=True)
    for path in (*VECTORS.glob("*.vector"), *FOLDER.iterdir()):
        path.unlink()
    for name, data in WORLD.items():
        (FOLDER / name).write_bytes(data)
    for case in found:
        (VECTORS / f"{case.name}.vector").write_bytes(case.file())
    size = sum(path.stat().st_size for path in (*VECTORS.glob("*.vector"), *FOLDER.iterdir()))
    print(f"{len(found)} vectors, {len(WORLD)} shared files, {size} bytes")


if __name__ == "__main__":
    main()
