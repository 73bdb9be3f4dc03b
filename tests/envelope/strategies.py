"""What hypothesis draws: values within the rules of specs/encoding.md, and the structures of envelope/ made of them."""

from __future__ import annotations

import itertools
import unicodedata

from hypothesis import strategies as st

from valiza.envelope.acknowledgement import CONDITIONS, REASONS, Acknowledgement, OpeningClaim, Refusal
from valiza.envelope.clearance import Confirmation, Enquiry
from valiza.envelope.dispatch import Dispatch
from valiza.envelope.handover import CONDITIONS as SEEN_CONDITIONS
from valiza.envelope.handover import Giver, Handover
from valiza.envelope.manifest import RELATIONS, Basis, Entry, Manifest, Reference
from valiza.envelope.notice import MAX_NOTICES, Notice, Way
from valiza.envelope.overdue import Overdue
from valiza.envelope.profile import BASIS_KINDS, TERMS, Handling, MarkText, Padding, PartyTerms, Profile
from valiza.envelope.receipt import CHECKED, Receipt
from valiza.envelope.route import Leg, Marks, Route, Stamp
from valiza.keys.fields import MAX_TIME, Body, Mark

digests = st.binary(min_size=32, max_size=32)
times = st.integers(0, MAX_TIME)
integers = st.integers(0, 2**63 - 1)


def _shape(first: str, rest: str, most: int) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, st.sampled_from(first), st.text(rest, max_size=most))


words = _shape("abz", "az09-", 31)
codes = _shape("AZaz09._-", "AZaz09._-", 15)
parties = _shape("AKZ", "AZ09", 15)
body_ids = _shape("AKZ", "AZ09-", 31)
bodies = st.builds(Body, parties, body_ids)
marks = st.builds(Mark, parties, codes)
pairs = st.builds(Marks, marks, marks)
remarks = st.dictionaries(st.text("abc", max_size=3).map(lambda t: f"~{t}"), st.none() | integers | st.binary(max_size=8), max_size=3)
attachments = st.dictionaries(words, st.binary(max_size=64), max_size=3).map(lambda d: tuple(sorted(d.items())))


_CHARACTERS = "aZ 9éßşҚқ中😀\n\x00\u061c\u200d\u202e\ufeff"  # plain ones, and those that whoever shows them has to escape


def texts(least: int = 1, most: int = 40) -> st.SearchStrategy[str]:
    """Text in normalization form NFC without unassigned characters."""
    return st.text(_CHARACTERS, min_size=least, max_size=most)


names = st.dictionaries(st.sampled_from(["en", "kk", "ru", "bel"]), texts(), min_size=1, max_size=3)
leaf_names = st.text("abcdeжңқß_-0123456789", min_size=1, max_size=12).map(lambda t: f"f{t}")


@st.composite
def routes(draw: st.DrawFn) -> Route:
    places = draw(st.lists(texts(), min_size=2, max_size=6))
    legs = tuple(Leg(one, two) for one, two in itertools.pairwise(places))
    return Route(marks=draw(pairs), transport=draw(words), escort=draw(words), legs=legs, reference=draw(texts(0)))


ways = routes().map(Way.of_route)


@st.composite
def stamps(draw: st.DrawFn) -> Stamp:
    route, hidden = draw(st.tuples(routes(), st.none()) | st.tuples(st.none(), digests))
    return Stamp(channel=draw(words), package=draw(texts(1, 64)), due_at=draw(times), route=route, hidden=hidden)


@st.composite
def entries(draw: st.DrawFn, name: str) -> Entry:
    physical = draw(st.booleans())
    return Entry(
        name=draw(texts()) if physical else name,
        media_type="" if physical else draw(st.sampled_from(["text/plain", "application/vnd.a+b.c", "x/y"])),
        size=None if physical else draw(st.integers(0, 1 << 50)),
        commitment=None if physical else draw(digests),
        marks=draw(pairs),
        registration=draw(texts(0)),
        copy=draw(st.none() | integers),
        sheets=draw(st.none() | integers),
        classified_by=draw(texts(0)),
        ground=draw(texts(0)),
    )


basis = st.builds(Basis, st.sampled_from(BASIS_KINDS), texts(), texts(0), st.dates().map(str) | st.just(""))
references = st.builds(Reference, st.sampled_from(RELATIONS), digests)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    leaves = draw(st.lists(leaf_names, min_size=1, max_size=4, unique_by=lambda n: unicodedata.normalize("NFC", n.casefold())))
    return Manifest(
        salt=draw(digests),
        core_digest=draw(digests),
        carriers=tuple(draw(entries(name)) for name in leaves),
        pad_length=draw(integers),
        basis=tuple(draw(st.lists(basis, min_size=1, max_size=3))),
        purpose=draw(texts()),
        term=draw(texts(0)),
        caveats=tuple(draw(st.lists(texts(), max_size=3))),
        references=tuple(draw(st.lists(references, max_size=3))),
        route=draw(st.none() | routes()),
        extensions=draw(remarks),
    )


dispatches = st.builds(
    Dispatch,
    core_digest=digests,
    header_digest=digests,
    payload_digest=digests,
    manifest_digest=digests,
    core_length=integers,
    header_length=integers,
    payload_length=integers,
    manifest_length=integers,
    sealed_at=times,
    attachments=attachments,
    extensions=remarks,
)

openings = st.lists(st.none() | digests, min_size=1, max_size=5).map(tuple)
claims = st.builds(OpeningClaim, openings=openings, proof=digests, credential=digests, opened_at=times, rewrap=st.none() | st.binary(max_size=64))
acknowledgements = st.builds(
    Acknowledgement,
    dispatch=st.binary(max_size=64),
    core=st.binary(max_size=64),
    claim=claims,
    marks=digests | st.lists(codes, min_size=1, max_size=5).map(tuple),
    number=texts(0, 64),
    answered_at=times,
    conditions=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=5).map(tuple),
    notice=st.none() | digests,
    extensions=remarks,
)
refusals = st.builds(
    Refusal,
    dispatch=st.binary(max_size=64),
    core=st.binary(max_size=64),
    stage=st.sampled_from(["unopened", "opened"]),
    reason=st.sampled_from(REASONS),
    comment=texts(0),
    number=texts(0, 64),
    answered_at=times,
    claim=st.none() | claims,
    extensions=remarks,
)
receipts = st.builds(
    Receipt,
    answer=st.binary(max_size=64),
    confirming=bodies,
    checked=st.sets(st.sampled_from(CHECKED)).map(lambda found: tuple(sorted(found))),
    countersigned_at=times,
    attachments=attachments,
    extensions=remarks,
)


def sorted_words(least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    """Distinct words in order."""
    return st.sets(words, min_size=least, max_size=4).map(lambda found: tuple(sorted(found)))


@st.composite
def _rows(draw: st.DrawFn, one: PartyTerms, two: PartyTerms) -> dict[Mark, str]:
    """A monotone function from some codes of one party to codes of the other."""
    kept = [mark for mark in one.marks if draw(st.booleans())] or [one.marks[0]]
    ranks = sorted(draw(st.lists(st.integers(0, len(two.marks) - 1), min_size=len(kept), max_size=len(kept))))
    return {Mark(one.id, mark.code): two.marks[rank].code for mark, rank in zip(kept, ranks, strict=True)}


@st.composite
def _party_terms(draw: st.DrawFn, party: str) -> PartyTerms:
    found = draw(st.lists(codes, min_size=1, max_size=5, unique=True))
    return PartyTerms(
        id=party,
        names=draw(names),
        marks=tuple(MarkText(code, draw(texts()), draw(names)) for code in found),
        competent=tuple(sorted(draw(st.sets(body_ids, min_size=1, max_size=3)))),
        confirming=tuple(sorted(draw(st.sets(body_ids | st.just("destination"), min_size=1, max_size=3)))),
        basis=tuple(sorted(draw(st.sets(st.sampled_from(BASIS_KINDS), min_size=1)))),
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    ids = sorted(draw(st.lists(parties, min_size=2, max_size=2, unique=True)))
    one, two = (draw(_party_terms(party)) for party in ids)
    rows = {**draw(_rows(one, two)), **draw(_rows(two, one))}
    lists = [draw(sorted_words()) for _ in range(3)]

    def handling() -> Handling:
        return Handling(*(tuple(sorted(draw(st.sets(st.sampled_from(known), min_size=1)))) for known in lists))

    version = draw(st.integers(1, 3))
    valid_from = draw(st.integers(0, MAX_TIME - 1))
    multiple = st.builds(Padding, st.just("multiple"), st.integers(2, 1 << 40))
    return Profile(
        id=draw(words),
        version=version,
        previous=None if version == 1 else draw(digests),
        title=draw(names),
        parties=(one, two),
        rows=dict(sorted(rows.items())),
        channels={word: (draw(st.booleans()), draw(names)) for word in lists[0]},
        transports={word: draw(names) for word in lists[1]},
        escorts={word: draw(names) for word in lists[2]},
        handling={mark: handling() for mark in sorted(rows)},
        terms={key: draw(names) for key in TERMS},
        suites=(1,),
        stamp=draw(st.sampled_from(["open", "closed"])),
        padding=draw(st.sampled_from([Padding("none"), Padding("padme")]) | multiple),
        skew=draw(st.integers(0, 86400)),
        max_transit=draw(st.integers(0, 31622400)),
        valid_from=valid_from,
        valid_until=draw(st.none() | st.integers(valid_from + 1, MAX_TIME)),
        extensions=draw(remarks),
    )


people = st.sets(st.binary(min_size=16, max_size=16), max_size=4).map(lambda found: tuple(sorted(found)))
enquiries = st.builds(
    Enquiry,
    enquiry_id=digests,
    agreement=digests,
    asking=bodies,
    asked=bodies,
    destination=bodies,
    officers=people.filter(bool),
    mark=marks,
    purpose=texts(),
    asked_at=times,
    extensions=remarks,
)


@st.composite
def confirmations(draw: st.DrawFn) -> Confirmation:
    answered_at = draw(st.integers(0, MAX_TIME - 1))
    return Confirmation(
        enquiry=draw(st.binary(max_size=40)),
        number=draw(st.integers(1, 2**63 - 1)),
        cleared=draw(people),
        answered_at=answered_at,
        valid_until=draw(st.none() | st.integers(answered_at + 1, MAX_TIME)),
        extensions=draw(remarks),
    )


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    number = draw(st.integers(1, MAX_NOTICES))
    leaves_at = draw(st.integers(0, MAX_TIME - 1))
    return Notice(
        dispatch=draw(st.binary(max_size=64)),
        core=draw(st.binary(max_size=64)),
        told=draw(bodies),
        number=number,
        previous=None if number == 1 else draw(digests),
        leaves_at=leaves_at,
        expected_at=draw(st.integers(leaves_at + 1, MAX_TIME)),
        package=draw(texts()),
        way=draw(st.none() | ways),
        deviation=draw(texts(0)),
        escorts=tuple(draw(st.lists(texts(), max_size=3))),
        reference=draw(texts(0)),
        told_at=draw(times),
        extensions=draw(remarks),
    )


@st.composite
def handovers(draw: st.DrawFn) -> Handover:
    intact, condition = draw(st.booleans()), draw(st.sampled_from(SEEN_CONDITIONS))
    return Handover(
        dispatch_digest=draw(digests),
        origin=draw(bodies),
        envelope_id=draw(digests),
        leg=draw(st.integers(0, 16)),
        place=draw(texts(0)),
        giver=Giver(name=draw(texts()), body=draw(bodies), credential=draw(st.none() | digests)),
        taken_at=draw(times),
        intact=intact,
        condition=condition,
        remark=draw(texts(0 if intact and condition == "sound" else 1)),
        package=draw(texts()),
        previous=draw(digests),
        extensions=draw(remarks),
    )


overdue_records = st.builds(Overdue, dispatch=st.binary(max_size=64), core=st.binary(max_size=64), due_at=times, noticed_at=times, extensions=remarks)
