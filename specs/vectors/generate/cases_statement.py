"""Vectors of statements: a dispatch, as the plainest type (statement.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import spoil
import wire
import world as w
from cases import LETTER, TRUSTED, Cases, Changes, Topic
from wire import Item, Raw

TOPIC = Topic("statement", "statement", TRUSTED)
TYPE = "valiza/v1/dispatch"
SEALER = w.PEOPLE["aigerim-seal"].signer("sealer")

BAD_BODIES: Sequence[tuple[str, Changes, str]] = (
    ("extension_unknown", {"extensions": {"note": 1}}, "an extension that version 1 does not know"),
    ("attachments_unsorted", {"attachments": [["b", b""], ["a", b""]]}, "attachments that are not sorted"),
    ("attachment_twice", {"attachments": [["a", b""], ["a", b""]]}, "two attachments of one kind"),
    ("time_beyond", {"sealed at": 253402300800}, "a time in the year 10000"),
    ("body_nine_items", {"more": None}, "an item too many"),
)
GOOD_BODIES: Sequence[tuple[str, Changes, str]] = (
    ("extension_shown", {"extensions": {"~note": ["any", {"value": None}]}}, "an extension that is shown and ignored"),
    ("extension_tilde", {"extensions": {"~": "a" * 4090}}, "the key ~ alone, and extensions of 4096 bytes"),
    ("attachment_unknown", {"attachments": [["a", bytes(3)], ["b-2", b""]]}, "attachments of unknown kinds"),
)


def _body() -> bytes:
    """The body of the good dispatch."""
    return bytes(_parts()[1])


def _parts() -> tuple[str, bytes, list[list[bytes]]]:
    """Type, body and signatures of the good dispatch."""
    body = wire.encode(list(LETTER.dispatch_items.values()))
    return TYPE, body, [[SEALER.header(), SEALER.sign(TYPE, body)]]


def _signed(signer: wire.Signer, kind: str = TYPE, body: bytes | None = None) -> bytes:
    return wire.statement(kind, _body() if body is None else body, [signer])


def _with_header(header: bytes) -> bytes:
    """The good body, under another signer header, signed with it."""
    signature = wire.composite_sign(SEALER.seed, TYPE, wire.pae(TYPE, header, _body()))
    return wire.encode([TYPE, _body(), [[header, signature]]])


def _form() -> Cases:
    kind, body, signatures = _parts()
    header, signature = signatures[0]
    fields: list[Item] = [SEALER.role, SEALER.named, wire.digest("public-key", wire.encode([wire.SIGNING_KIND, wire.composite_public(SEALER.seed)]))]
    named = w.PEOPLE["dauren-seal"].signer("sealer")
    pair = sorted(([header, signature], [named.header(), named.sign(kind, body)]))
    yield TOPIC.good("good", LETTER.dispatch, "a dispatch")
    for name, raw, step, comment in (
        ("trailing", LETTER.dispatch + b"\0", 2, "a byte behind it"),
        ("four_items", wire.encode([kind, body, signatures, None]), 2, "an item too many"),
        (
            "body_long_form",
            wire.encode([kind, Raw(b"\xc6" + len(body).to_bytes(4, "big") + body), signatures]),
            2,
            "a body with a length in four bytes",
        ),
        ("other_type", _signed(SEALER, "valiza/v1/refusal"), 2, "signed as another type"),
        ("next_version", _signed(SEALER, "valiza/v2/dispatch"), 2, "signed as a type of version 2"),
        ("unsigned", wire.encode([kind, body, []]), 3, "no signature"),
        ("two_signatures", wire.encode([kind, body, pair]), 3, "two signatures, each of which holds, where the type takes one"),
        ("signature_twice", wire.encode([kind, body, [signatures[0], signatures[0]]]), 3, "one signature twice"),
        ("signature_short", wire.encode([kind, body, [[header, signature[:-1]]]]), 3, "a signature of 3372 bytes"),
        (
            "header_long_form",
            _with_header(b"\x93" + b"\xd9\x06sealer" + b"".join(wire.encode(part) for part in fields[1:])),
            3,
            "a signer header with a longer spelling, signed",
        ),
        ("header_short_digest", _with_header(wire.encode([fields[0], SEALER.named[:31], fields[2]])), 3, "a signer digest of 31 bytes, signed"),
        ("other_role", _signed(replace(SEALER, role="acknowledger")), 3, "a role of another type"),
    ):
        yield TOPIC.bad(name, raw, f"malformed @ {f'statement {step}'}", comment)


def _signers() -> Cases:
    stranger = replace(SEALER, named=wire.draw("nobody"))
    dauren, kz = w.PEOPLE["dauren-seal"], w.KZ.signer("sealer")
    other_key = wire.digest("public-key", wire.encode([wire.SIGNING_KIND, wire.composite_public(dauren.seed)]))
    purpose = w.PEOPLE["aigerim-acknowledge"].signer("sealer")
    for name, signer, step, comment in (
        ("unknown_signer", stranger, 4, "a credential that nobody knows"),
        ("signed_by_root", kz, 4, "a root in a role that takes a credential"),
        ("other_purpose", purpose, 4, "a credential to acknowledge, in the role of a sealer"),
        ("key_digest", replace(SEALER, key_digest=other_key), 4, "the digest of another public key in the signed header"),
        ("other_key", replace(SEALER, signs_with=dauren.seed), 5, "signed with a colleague's key"),
        ("mldsa_broken", spoil.spoilt(SEALER, spoil.flip(100)), 5, "only the Ed25519 half holds"),
        ("ed25519_broken", spoil.spoilt(SEALER, spoil.flip(3309)), 5, "only the ML-DSA half holds"),
        ("ed25519_larger_s", spoil.spoilt(SEALER, spoil.larger_s), 5, "S + L in the place of S"),
        ("ed25519_torsion_in_r", spoil.spoilt(SEALER, _torsion()), 5, "R = rB + T with T of order 8: holds only where the cofactor is multiplied in"),
        ("halves_swapped", spoil.spoilt(SEALER, spoil.halves_swapped), 5, "Ed25519 first"),
        ("mldsa_half_of_colleague", spoil.spoilt(SEALER, _half_of(dauren.seed)), 5, "the ML-DSA half by a colleague's key"),
        ("signed_as_other_type", replace(SEALER, signs_type="valiza/v1/refusal"), 5, "the signature is one of another type"),
        ("signed_other_body", replace(SEALER, signs_body=_body() + b"\0"), 5, "the signature is over another body"),
    ):
        yield TOPIC.bad(name, _signed(signer), f"not authentic @ statement {step}", comment)


def _torsion() -> spoil.Change:
    return spoil.torsion_in_r(SEALER.seed[32:], TYPE, wire.pae(TYPE, SEALER.header(), _body()))


def _half_of(seed: bytes) -> spoil.Change:
    signature = wire.composite_sign(seed, TYPE, wire.pae(TYPE, SEALER.header(), _body()))
    return lambda own: signature[:3309] + own[3309:]


def _bodies() -> Cases:
    yield TOPIC.bad("body_trailing", _signed(SEALER, body=_body() + b"\0"), "malformed @ statement 7", "a byte behind the body, signed")
    changed = _signed(SEALER, body=_body()).replace(_body(), spoil.flip(60)(_body()))
    yield TOPIC.bad("body_changed", changed, "not authentic @ statement 5", "one bit of the body changed afterwards")
    trailing = wire.encode([TYPE, _body() + b"\0", _parts()[2]])
    yield TOPIC.bad(
        "verified_before_decoded", trailing, "not authentic @ statement 5", "a byte behind the body, not signed: verified first, decoded after"
    )
    for name, changes, comment in BAD_BODIES:
        yield TOPIC.bad(name, _changed(changes), "malformed @ statement 7", comment)
    for name, changes, comment in GOOD_BODIES:
        yield TOPIC.good(name, _changed(changes), comment)


def _changed(changes: Changes) -> bytes:
    """The good dispatch with other fields, signed."""
    return type(LETTER)(LETTER.plan.but(hooks={"dispatch": lambda items: {**items, **changes}})).dispatch


def cases() -> Cases:
    """All of them."""
    yield from _form()
    yield from _signers()
    yield from _bodies()
