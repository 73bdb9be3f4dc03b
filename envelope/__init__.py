"""What travels, and the answers to it: agreement, envelope, acknowledgement, receipt; and the Journal protocol that the register implements.

The names below are this layer's API, in the order of the work: `prepare` and `seal_envelope`; `authenticate`, `verify_dispatch` and
`verify_envelope`; `unseal_manifest` and `open_envelope`; `acknowledge` or `refuse`; `countersign`; `read_receipt` and `verify_receipt`.

Modules import only those before them: profile, draft, agreement, route, carrier, manifest, header, payload, dispatch, container,
permission, clearance, journal, manifest_copy, sealing, verifying, rewrap, opening, acknowledgement, receipt. From below only keys is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.envelope.acknowledgement import VerifiedAnswer, acknowledge, read_answer, refuse, verify_answer
    from valiza.envelope.agreement import Agreement, Agreements, Termination, read_agreement, read_agreements, sign_agreement
    from valiza.envelope.carrier import Carrier
    from valiza.envelope.clearance import VerifiedConfirmation, VerifiedEnquiry, confirm, enquire, read_confirmation, read_enquiry
    from valiza.envelope.draft import packaged_draft, read_draft
    from valiza.envelope.journal import Expectation, Journal, Opening
    from valiza.envelope.manifest import Basis, Manifest, Reference
    from valiza.envelope.opening import OpenedEnvelope, UnsealedManifest, open_envelope, unseal_manifest
    from valiza.envelope.profile import Profile, read_profile
    from valiza.envelope.receipt import AuthenticReceipt, Verdict, VerifiedReceipt, countersign, read_receipt, verify_receipt
    from valiza.envelope.rewrap import Rewrap, make_rewrap, read_rewrap
    from valiza.envelope.route import Leg, Marks, Route, Stamp
    from valiza.envelope.sealing import Consignment, SealedEnvelope, prepare, seal_envelope
    from valiza.envelope.verifying import AuthenticDispatch, VerifiedDispatch, VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope

__all__ = [
    "Agreement",
    "Agreements",
    "AuthenticDispatch",
    "AuthenticReceipt",
    "Basis",
    "Carrier",
    "Consignment",
    "Expectation",
    "Journal",
    "Leg",
    "Manifest",
    "Marks",
    "OpenedEnvelope",
    "Opening",
    "Profile",
    "Reference",
    "Rewrap",
    "Route",
    "SealedEnvelope",
    "Stamp",
    "Termination",
    "UnsealedManifest",
    "Verdict",
    "VerifiedAnswer",
    "VerifiedConfirmation",
    "VerifiedDispatch",
    "VerifiedEnquiry",
    "VerifiedEnvelope",
    "VerifiedReceipt",
    "acknowledge",
    "authenticate",
    "confirm",
    "countersign",
    "enquire",
    "make_rewrap",
    "open_envelope",
    "packaged_draft",
    "prepare",
    "read_agreement",
    "read_agreements",
    "read_answer",
    "read_confirmation",
    "read_draft",
    "read_enquiry",
    "read_profile",
    "read_receipt",
    "read_rewrap",
    "refuse",
    "seal_envelope",
    "sign_agreement",
    "unseal_manifest",
    "verify_answer",
    "verify_dispatch",
    "verify_envelope",
    "verify_receipt",
]

__getattr__ = lazy(
    __name__,
    __all__,
    (
        *("profile", "draft", "agreement", "route", "carrier", "manifest", "clearance", "journal"),
        *("sealing", "verifying", "rewrap", "opening", "acknowledgement", "receipt"),
    ),
)
