"""Requests as a reader sees them (request.md)."""

from __future__ import annotations

from dataclasses import dataclass

import decode as d
import trust
import wire
from outcome import NotAuthentic, Refused, step
from reading import World

ALONE = ("custodian", "witness")
PURPOSES = ("act", "acknowledge", "certify", "countersign", "open", "register", "roster", "seal", "transport", *ALONE)
VOUCHED_BY = {"open": "acknowledge", "register": "act"}  # purposes whose keys sign nothing here


@dataclass(frozen=True)
class Request:
    """What a request asks for: public keys by purpose, those that sign by their digest too."""

    subject: bytes | None
    body: tuple[str, str] | None
    keys: dict[str, bytes]
    signing: dict[bytes, bytes]


def read_request(raw: bytes, world: World) -> Request:
    """request.md, Reading."""
    with step(1):
        statement = trust.read_statement(raw, "request")
    with step(2):
        request = _body(statement.body)
    name = wire.digest("request", statement.body)
    with step(3):
        own = [signature for signature in statement.signatures if signature.signer == name]
        if {signature.key for signature in own} != set(request.signing):
            raise NotAuthentic("not signed in its own name by exactly its signing keys")
        for signature in own:
            trust.verify(statement, signature, request.signing[signature.key])
    with step(4):
        vouching = [_voucher(statement, signature, request, world) for signature in statement.signatures if signature.signer != name]
    with step(5):
        if not request.signing and any(VOUCHED_BY[purpose] not in vouching for purpose in request.keys):
            raise Refused("no signing key, and not vouched for by all that have to")
    return request


def _body(raw: bytes) -> Request:
    f = d.fields(d.decode(raw), 7)
    subject = d.optional(f[0], lambda value: d.binary(value, 16))
    party, place = d.matching(f[1], d.PARTY), d.optional(f[2], lambda value: d.matching(value, d.BODY_ID))
    d.names(f[3])
    pairs = [d.fields(item, 2) for item in d.array(f[4], 1, 9)]
    purposes = [d.one_of(purpose, PURPOSES) for purpose, _ in pairs]
    d.ascending(purposes, str.encode)
    keys = {purpose: d.key_for(purpose, key) for purpose, (_, key) in zip(purposes, pairs, strict=True)}
    d.need(len(set(keys.values())) == len(keys), "one key twice")
    alone = any(purpose in ALONE for purpose in purposes)
    d.need(not alone or len(purposes) == 1, "custodian and witness stand alone")
    d.need((place is None) == alone, "a body id exactly where it belongs")
    d.need(not alone or subject is not None, "a custodian or witness without his id")
    d.time(f[5])
    d.extensions(f[6])
    signing = {wire.digest("public-key", wire.encode([wire.SIGNING_KIND, key])): key for purpose, key in keys.items() if purpose not in VOUCHED_BY}
    return Request(subject, None if place is None else (party, place), keys, signing)


def _voucher(statement: trust.Statement, signature: trust.Signature, request: Request, world: World) -> str:
    """The purpose of a credential in whose name a request is signed."""
    known = world.trust.credentials.get(signature.signer)
    if known is None or known.purpose in VOUCHED_BY or request.body is None:
        raise NotAuthentic("nobody who could vouch")
    trust.verify(statement, signature, known.public_key)
    if (known.body, known.subject) != (request.body, request.subject):
        raise Refused("vouched for by another")
    if not known.valid_at(world.now):
        raise Refused("vouched for by a credential that is not in force")
    return known.purpose
