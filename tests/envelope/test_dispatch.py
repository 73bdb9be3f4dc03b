"""The dispatch: its body, who may sign it, and that it covers one core (specs/envelope.md, Dispatch, Reading 3 to 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from tests.envelope.strategies import dispatches
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import DAY, OPENED, SEALED, say

from valiza.envelope.dispatch import Dispatch, authenticate_dispatch, read_dispatch_body, sign_dispatch
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.statement import SIGNATURE_BYTES

if TYPE_CHECKING:
    from tests.support.tamper import Hook
    from tests.support.world import World

BODY = Dispatch(
    core_digest=bytes(32),
    header_digest=bytes(32),
    payload_digest=bytes(32),
    manifest_digest=bytes(32),
    core_length=1,
    header_length=2,
    payload_length=3,
    manifest_length=4,
    sealed_at=SEALED,
).packed()


@given(dispatches)
def test_body_reads_back(dispatch: Dispatch) -> None:
    assert read_dispatch_body(dispatch.packed()) == dispatch


MALFORMED: dict[str, tuple[Hook, str]] = {
    "an item more": (more({}), "8 items"),
    "digest of core short": (put(bytes(31), 0), "digest of core"),
    "digest of header nil": (put(None, 1), "digest of header"),
    "digest of payload as text": (put("0" * 32, 2), "digest of payload"),
    "digest of manifest long": (put(bytes(33), 3), "digest of manifest"),
    "three lengths": (put([1, 2, 3], 4), "lengths"),
    "five lengths": (put([1, 2, 3, 4, 5], 4), "lengths"),
    "length true": (put(True, 4, 0), "length"),  # noqa: FBT003 - a value on the wire
    "sealed after the year 9999": (put(253402300800, 5), "sealed at"),
    "attachments nil": (put(None, 6), "attachments"),
    "nine attachments": (put([[f"a{n}", b""] for n in range(9)], 6), "attachments"),
    "attachment twice": (put([["a", b""], ["a", b""]], 6), "ascending"),
    "attachments unsorted": (put([["b", b""], ["a", b""]], 6), "ascending"),
    "attachment as text": (put([["a", ""]], 6), "attachment"),
    "attachment too long": (put([["a", bytes(65537)]], 6), "attachment"),
    "kind no word": (put([["A", b""]], 6), "kind of attachment"),
    "unknown extension": (put({"x": 1}, 7), "unknown extension"),
    "17 remarks": (put({f"~{n:02}": 0 for n in range(17)}, 7), "extensions"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_body(case: str) -> None:
    hook, message = MALFORMED[case]
    with pytest.raises(Malformed, match=message):
        read_dispatch_body(edited(BODY, hook))


def test_sealer_signs_and_anyone_authenticates(world: World) -> None:
    forged = world.plan().seal()
    signed = authenticate_dispatch(forged.dispatch.raw, forged.core, world.trust)
    assert signed.sealer.digest == world.origin["chief"].credentials["seal"].digest
    assert signed.core.raw == forged.core
    assert signed.digest == forged.dispatch.digest
    assert signed.name.origin == world.origin.ministry
    assert signed.name.envelope_id == signed.core.envelope_id
    again = sign_dispatch(signed.body, signed.sealer, world.origin["chief"].keys["seal"])
    assert again.digest != forged.dispatch.digest  # ML-DSA is randomised: another act of signing has another name
    assert authenticate_dispatch(again.raw, forged.core, world.trust).body == signed.body


def test_remarks_and_unknown_attachments_are_kept(world: World) -> None:
    forged = world.plan().seal(dispatch=lambda items: put([["seal-photo", b"jpeg"]], 6)(put({"~note": "by hand"}, 7)(items)))
    signed = authenticate_dispatch(forged.dispatch.raw, forged.core, world.trust)
    assert signed.body.attachments == (("seal-photo", b"jpeg"),)
    assert signed.body.extensions == {"~note": "by hand"}


def test_altered_dispatch(kz_by: World) -> None:
    forged = kz_by.plan().seal()
    raw = forged.dispatch.raw
    for at in (raw.index(forged.dispatch.body) + 5, len(raw) - 1, len(raw) - SIGNATURE_BYTES):
        with pytest.raises(NotAuthentic, match="does not verify"):
            authenticate_dispatch(flipped(raw, at), forged.core, kz_by.trust)


def test_another_core(kz_by: World) -> None:
    one, two = kz_by.plan().seal(), kz_by.plan(seed="another").seal()
    longer = [one.core + bytes([n]) for n in range(16)]  # some have a greater digest than the core, some a lesser
    for core in (two.core, *longer, one.core[:-1], b""):
        with pytest.raises(NotAuthentic, match="over another core"):
            authenticate_dispatch(one.dispatch.raw, core, kz_by.trust)


def test_unknown_sealer(kz_by: World) -> None:
    stranger = kz_by.origin.appoint("stranger", clearance="1")
    forged = kz_by.plan(sealer=stranger).seal()
    with pytest.raises(NotAuthentic, match="sealer of this dispatch is in no roster"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)
    known = kz_by.trusting(kz_by.origin.roster_of([stranger]))
    assert authenticate_dispatch(forged.dispatch.raw, forged.core, known.trust).sealer.title == "stranger"


def test_sealer_whom_core_does_not_name(kz_by: World) -> None:
    """A colleague with a key of his own cannot put his signature on it."""
    chief, deputy = kz_by.origin["chief"], kz_by.origin["deputy"]
    for sealer, signer in ((chief, deputy), (deputy, chief)):
        forged = kz_by.plan(sealer=sealer, signer=signer).seal()
        with pytest.raises(NotAuthentic, match="not signed by the sealer whom the header names"):
            authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


@pytest.mark.parametrize("purpose", ["acknowledge", "countersign"])
def test_key_of_another_purpose(kz_by: World, purpose: str) -> None:
    """P7: a key for one thing does nothing else, though the person may seal."""
    chief = kz_by.origin["chief"]
    misused = replace(
        chief,
        keys={**chief.keys, "seal": chief.keys[purpose]},
        credentials={**chief.credentials, "seal": chief.credentials[purpose]},
    )
    forged = kz_by.plan(sealer=misused).seal()
    with pytest.raises(NotAuthentic, match=f"{purpose} credential cannot sign as sealer"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


def test_sealer_with_a_key_that_is_not_the_certified_one(kz_by: World) -> None:
    chief, deputy = kz_by.origin["chief"], kz_by.origin["deputy"]
    for named in (chief.header("sealer"), replace(chief.header("sealer"), key_digest=deputy.keys["seal"].key_digest)):
        forged = kz_by.plan().seal()
        raw = say(labels.DISPATCH, forged.dispatch.body, deputy, header=named)
        with pytest.raises(NotAuthentic):
            authenticate_dispatch(raw, forged.core, kz_by.trust)


def test_sealer_of_another_body(kz_by: World) -> None:
    forged = kz_by.plan(sealer=kz_by.origin["banker"]).seal()
    with pytest.raises(Refused, match="the sealer is of KZ/KZ-BANK, and the envelope of KZ/KZ-MFA"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


def test_sealer_of_a_body_further_down_the_list(kz_by: World) -> None:
    origin = kz_by.origin["banker"].body
    assert origin < kz_by.origin["chief"].body
    forged = kz_by.plan(origin=origin).seal()
    with pytest.raises(Refused, match="the sealer is of KZ/KZ-MFA, and the envelope of KZ/KZ-BANK"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


def test_sealer_of_another_party(kz_by: World) -> None:
    forged = kz_by.plan(sealer=kz_by.destination["chief"]).seal()
    with pytest.raises(Refused, match="the sealer is of BY/BY-MFA, and the envelope of KZ/KZ-MFA"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


@pytest.mark.parametrize(("sealed_at", "state"), [(SEALED - DAY, "expired"), (SEALED, "expired"), (0, "not yet valid")])
def test_sealer_whose_credential_is_not_valid_then(kz_by: World, sealed_at: int, state: str) -> None:
    forged = kz_by.plan(sealer=kz_by.origin["former"], sealed_at=sealed_at).seal()
    with pytest.raises(Refused, match=f"seal credential of 'former' .* is {state} at the time of sealing"):
        authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust)


def test_sealer_who_left_since(kz_by: World) -> None:
    """What counts is the time of sealing."""
    forged = kz_by.plan(sealer=kz_by.origin["leaving"]).seal()
    assert not kz_by.origin["leaving"].credentials["seal"].valid_from <= OPENED < kz_by.origin["leaving"].credentials["seal"].valid_until
    assert authenticate_dispatch(forged.dispatch.raw, forged.core, kz_by.trust).sealer.title == "leaving"


def test_no_dispatch_but_a_dispatch(kz_by: World) -> None:
    forged = kz_by.plan().seal()
    for raw in (b"", pack([]), forged.dispatch.raw[:-1], forged.dispatch.raw + b"\x00", kz_by.agreement.raw):
        with pytest.raises(Malformed):
            authenticate_dispatch(raw, forged.core, kz_by.trust)
