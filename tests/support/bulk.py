"""Envelopes and their receipts by the thousand, for one destination: sealed, answered and countersigned with the keys of two offices.

Nothing is opened for the answers: what an opening would find is what the sealing expects. The envelopes themselves are thrown away.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.world import Officer, acknowledged, countersigned, opening_by

from valiza.envelope.carrier import Carrier
from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.manifest import Basis
from valiza.envelope.route import Leg
from valiza.envelope.sealing import Consignment, prepare, seal_envelope
from valiza.keys.processes import processors, shared
from valiza.office.home import Office

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import World

    from valiza.envelope.journal import Expectation

__all__ = ["Exchanged", "enter", "exchanged"]

DAY: Final = 86400
_PIECE: Final = 100  # made by a process at once
_TOGETHER: Final = 500  # entered in one transaction


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """An envelope that was sent, and the receipt that came of it."""

    name: EnvelopeName
    expectation: Expectation = field(repr=False)
    receipt: bytes = field(repr=False)
    due_at: int


def _officer(office: Office, name: str, *purposes: str) -> Officer:
    signing = [purpose for purpose in purposes if purpose != "open"]
    return Officer(
        name=name,
        body=office.body,
        identity=None,  # type: ignore[arg-type] # nothing is opened
        keys={purpose: office.signing_key(name, purpose) for purpose in signing},  # type: ignore[misc] # in software here
        credentials={purpose: office.credential(name, purpose) for purpose in purposes},
    )


def _make(given: tuple[Path, int, int]) -> list[Exchanged]:
    folder, count, at = given
    kz, by = (Office(folder / party, str, clock=lambda: at) for party in ("KZ", "BY"))
    try:
        officers = _officers(by)
        return [_one(kz, by, officers, folder, at) for _ in range(count)]
    finally:
        kz.close()
        by.close()


def _officers(by: Office) -> dict[str, Officer]:
    return {"opener": _officer(by, "yanka", "open", "acknowledge"), "countersigner": _officer(by, "maryna", "open", "countersign")}


def _one(kz: Office, by: Office, officers: dict[str, Officer], folder: Path, at: int) -> Exchanged:
    (agreement,) = kz.agreements.all()
    consignment = Consignment(
        destination=by.body,
        confirming=by.body,
        agreement=agreement,
        channel="courier",
        transport="air",
        escort="courier",
        legs=(Leg("Astana", "Minsk"),),
        reference="",
        package="1",
        due_at=at + 30 * DAY,
        carriers=(Carrier(name="map.txt", path=folder / "map.txt", code="3", media_type="text/plain"),),
        basis=(Basis("decision", "Government decision No. 12"), Basis("conclusion", "expert conclusion No. 7")),
        purpose="joint exercise",
        addressees=tuple(officer.open for officer in officers.values()),
    )
    prepared = prepare(consignment, sealer=kz.credential("aigul", "seal"), trust=kz.trust, agreements=kz.agreements, at=at)
    sealed = seal_envelope(prepared, key=kz.signing_key("aigul", "seal"), out=io.BytesIO(), random=os.urandom)
    opening = opening_by(officers["opener"], sealed.expectation, opened_at=at)
    answer = acknowledged(opening, officers["opener"], number="1", answered_at=at)
    receipt = countersigned(answer, officers["countersigner"], countersigned_at=at)
    core = sealed.core
    name = EnvelopeName(origin=kz.body, envelope_id=core.envelope_id, dispatch_digest=sealed.dispatch.digest, agreement=core.agreement)
    return Exchanged(name=name, expectation=sealed.expectation, receipt=receipt, due_at=core.stamp.due_at)


def exchanged(world: World, count: int, at: int, *, jobs: int | None = None) -> Iterator[Exchanged]:
    """So many exchanges, sealed at some time, made by several processes."""
    pieces = [(world.folder, min(_PIECE, count - begun), at) for begun in range(0, count, _PIECE)]
    with shared(min(jobs or processors(), len(pieces))) as share:
        for made in share(_make, pieces):
            yield from made


def enter(office: Office, sent: list[Exchanged], at: int) -> None:
    """Enter envelopes in the register of their origin as sealed, many in one transaction."""
    for begun in range(0, len(sent), _TOGETHER):
        piece: list[Any] = sent[begun : begun + _TOGETHER]
        with office.journal.together():
            for one in piece:
                number = office.journal.next_number("out", one.name.agreement, at)
                office.journal.record_sealed(
                    one.expectation, one.name, path=Path("sealed.vlz"), number=number, due_at=one.due_at, manifest_copy=None, at=at
                )
        office.journal.settle(one.name.dispatch_digest for one in piece)
