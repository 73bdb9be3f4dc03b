"""Every label of specs/labels.md, in its order. None is used for anything else."""

from __future__ import annotations

from typing import Final

SUITE: Final = 1

# Statement types; also the composite signature's ctx.
ROOT: Final = "valiza/v1/root"
CREDENTIAL: Final = "valiza/v1/credential"
REQUEST: Final = "valiza/v1/request"
ROSTER: Final = "valiza/v1/roster"
REVOCATION: Final = "valiza/v1/revocation"
DESIGNATION: Final = "valiza/v1/designation"
AGREEMENT: Final = "valiza/v1/agreement"
TERMINATION: Final = "valiza/v1/termination"
CLEARANCE_ENQUIRY: Final = "valiza/v1/clearance-enquiry"
CLEARANCE_CONFIRMATION: Final = "valiza/v1/clearance-confirmation"
DISPATCH: Final = "valiza/v1/dispatch"
REWRAP: Final = "valiza/v1/rewrap"
ACKNOWLEDGEMENT: Final = "valiza/v1/acknowledgement"
REFUSAL: Final = "valiza/v1/refusal"
RECEIPT: Final = "valiza/v1/receipt"
TRANSPORT_NOTICE: Final = "valiza/v1/transport-notice"
HANDOVER: Final = "valiza/v1/handover"
OVERDUE: Final = "valiza/v1/overdue"
TRANSCRIPT: Final = "valiza/v1/transcript"

# Digest labels.
DIGEST_ROOT: Final = "valiza/v1/digest/root"
DIGEST_AGREEMENT: Final = "valiza/v1/digest/agreement"
DIGEST_REQUEST: Final = "valiza/v1/digest/request"
DIGEST_STATEMENT: Final = "valiza/v1/digest/statement"
DIGEST_FINGERPRINT: Final = "valiza/v1/digest/fingerprint"
DIGEST_PUBLIC_KEY: Final = "valiza/v1/digest/public-key"
DIGEST_CORE: Final = "valiza/v1/digest/core"
DIGEST_HEADER: Final = "valiza/v1/digest/header"
DIGEST_PAYLOAD: Final = "valiza/v1/digest/payload"
DIGEST_MANIFEST: Final = "valiza/v1/digest/manifest"
DIGEST_COMMITMENT: Final = "valiza/v1/digest/commitment"
DIGEST_INDEX: Final = "valiza/v1/digest/index"
DIGEST_TRANSCRIPT: Final = "valiza/v1/digest/transcript"
DIGEST_DRAFT: Final = "valiza/v1/digest/draft"
DIGEST_PLAN: Final = "valiza/v1/digest/plan"
DIGEST_CODE: Final = "valiza/v1/digest/code"
DIGEST_RECORD: Final = "valiza/v1/digest/record"

# Key labels, for `derive`.
KEY_CARRIER: Final = "valiza/v1/key/carrier"
KEY_ACKNOWLEDGEMENT: Final = "valiza/v1/key/acknowledgement"
KEY_MARKS: Final = "valiza/v1/key/marks"
KEY_STAMP: Final = "valiza/v1/key/stamp"
KEY_ENTROPY: Final = "valiza/v1/key/entropy"

# `info` and `context`.
WRAP_PAYLOAD_KEY: Final = "valiza/v1/wrap/payload-key"
WRAP_MANIFEST_COPY: Final = "valiza/v1/wrap/manifest-copy"
STREAM_KEY: Final = "valiza/v1/stream-key"
STREAM: Final = "valiza/v1/stream"
MANIFEST_COPY: Final = "valiza/v1/manifest-copy"
KEY_FILE: Final = "valiza/v1/key-file"

# Names of logs and offices in notes.
LOG: Final = "valiza/v1/log/"
OFFICE: Final = "valiza/v1/office/"

# Other constants.
BEGIN: Final = "valiza/v1/"
REHEARSAL: Final = "valiza/rehearsal/"
REHEARSAL_KIND: Final = "rehearsal/"
MAGIC: Final = bytes.fromhex("89564C5A0D0A1A0A")
MAGIC_EVIDENCE: Final = bytes.fromhex("89564C450D0A1A0A")
PAE_PREFIX: Final = b"VALIZAv1"
KIND_SIGNATURE: Final = "MLDSA65-Ed25519"
KIND_ENCRYPTION: Final = "X-Wing"
KIND_LOG: Final = "MLDSA44-Ed25519-log"
KIND_EXTERNAL: Final = "MLDSA65-Ed25519-external"
COMPOSITE_PREFIX: Final = b"CompositeAlgorithmSignatures2025"
COMPOSITE_LABEL: Final = b"COMPSIG-MLDSA65-Ed25519-SHA512"
SIGNER_TRIAL: Final = "valiza/v1/signer-trial"
