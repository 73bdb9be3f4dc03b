"""What a bundle must hold: each element removed or altered makes it fail with a sentence that names it."""

from __future__ import annotations

import itertools
import random
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.bundles import Case, edited, entries, make_case, outcome, taken_apart, write
from tests.support.keys import flipped

from valiza.envelope.acknowledgement import peek_answer
from valiza.envelope.receipt import Verdict, peek_receipt
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import ValizaError
from valiza.office.evidence import Evidence, verify_evidence
from valiza.register.bundle import ANSWER, DISPATCH, Bundle, DisclosedCarrier, read_bundle_file
from valiza.register.note import Note, read_note
from valiza.register.proof import read_proof

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.register.bundle import LoggedEntry

    Edit = Callable[[Bundle], Bundle]

SAMPLE: Final = 250


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Made once; no test changes it."""
    return make_case(tmp_path_factory.mktemp("evidence"))


def failure(case: Case, path: Path) -> ValizaError:
    """Why a bundle is not believed."""
    found = outcome(case, path)
    assert isinstance(found, ValizaError), found
    return found


def success(case: Case, path: Path) -> Evidence:
    """What a bundle proves."""
    found = outcome(case, path)
    assert isinstance(found, Evidence), found
    return found


# -- what holds ----------------------------------------------------------------------------------------------------------


def test_a_whole_bundle_of_either_side_holds(case: Case) -> None:
    for path, kinds in ((case.origin, ["sealed", "receipt"]), (case.destination, ["arrived", "opened", "answered", "receipt"])):
        found = success(case, path)
        assert found.findings.verdict is Verdict.ATTESTED
        assert [fact.leaf.facts.kind for fact in found.verified.logged] == kinds
        assert all(fact.cosigner is not None for fact in found.verified.logged)
        assert found.verified.not_compared == ("addressee", "payload")
    assert [carrier.name for carrier in success(case, case.destination).shown] == ["map.txt", "list.csv"]


def test_it_says_by_whom_and_as_of_when(case: Case) -> None:
    said = "\n".join(success(case, case.destination).findings.proved)
    for words in (
        "version 1 of its roster",
        "Aigul Serik of KZ/KZ-MFA sealed the envelope",
        "under kz-by version 1, signed by both parties",
        "somebody with the key of Yanka Kupava of BY/BY-MFA decrypted every file carrier whole",
        "Yanka Kupava of BY/BY-MFA acknowledged the envelope",
        "Maryna Bor of BY/BY-MFA countersigned that answer for BY/BY-MFA",
        "BY/BY-MFA entered the receipt in its log",
        "KZ/KZ-MFA cosigned that at",
        "the carrier 1 ('list.csv', 36000 bytes) is shown, byte for byte as it was acknowledged and committed to",
    ):
        assert words in said


def test_it_says_what_is_not_proved(case: Case) -> None:
    said = "\n".join(success(case, case.origin).findings.not_proved)
    for words in (
        "what stands in the log of BY/BY-MFA: nothing of it is in the bundle",
        "that nobody signed another receipt",
        "what the carriers 0, 1 contain: they are not shown",
        "whether a credential of BY was revoked after its roster of",
        "that the roster of BY is the latest and complete: ask BY whether it is version 1 of",
        "was not ended or replaced by a termination, later version or designation that is not shown: ask both parties",
        "times are the signers' own words",
    ):
        assert words in said
    bundle, _ = taken_apart(case.origin)
    closed = success(case, write(case.world.path("closed.vle"), replace(bundle, manifest=None)))
    assert "what the contents are: the manifest is not shown, and no carrier is" in closed.findings.not_proved
    assert closed.verified.not_compared == ("openings", "proof", "marks", "addressee", "payload")


# -- what is removed -----------------------------------------------------------------------------------------------------


def _without_lines(bundle: Bundle, kind: str, *, of: str, keep: int = 0) -> Bundle:
    """Take signature lines whose name begins so out of the proof of an entry, but for the first ones."""

    def change(entry: LoggedEntry) -> LoggedEntry:
        proof = read_proof(entry.proof)
        note = read_note(proof.note)
        kept = [line for line in note.lines if line.name.startswith(of)][:keep]
        lines = tuple(line for line in note.lines if not line.name.startswith(of) or line in kept)
        return edited(entry, proof=replace(proof, note=Note(note.text, lines).format()).format())

    return entries(bundle, change, kind)


def _as_answer(bundle: Bundle) -> Bundle:
    return replace(bundle, kind=ANSWER, statement=peek_receipt(bundle.statement).answer)


def _as_dispatch(bundle: Bundle) -> Bundle:
    given, core = peek_answer(peek_receipt(bundle.statement).answer)
    return replace(bundle, kind=DISPATCH, statement=given.dispatch, core=core.raw, manifest=None)


REMOVED: Final[dict[str, tuple[Edit, int, str]]] = {
    "the receipt": (lambda b: replace(b, statement=b""), 8, "the receipt is missing"),
    "the countersignature": (_as_answer, 8, "the receipt that the entry 'receipt' is about is missing"),
    "the answer": (_as_dispatch, 8, "the receipt that the entry 'receipt' is about is missing"),
    "the core": (lambda b: replace(_as_dispatch(b), core=None), 8, "the core of the envelope is missing"),
    "a roster": (lambda b: replace(b, rosters=b.rosters[:1]), 8, "the roster of KZ is missing"),
    "another roster": (lambda b: replace(b, rosters=b.rosters[1:]), 8, "the roster of BY is missing"),
    "the agreement": (lambda b: replace(b, agreements=()), 8, "under which the envelope was sealed is missing"),
    "the log": (lambda b: replace(b, logs=()), 8, "what the log of KZ/KZ-MFA or of BY/BY-MFA says is missing"),
    "an entry": (lambda b: entries(b, lambda _: None, "sealed"), 8, "the log of KZ/KZ-MFA: the evidence bundle is incomplete: the entry 'sealed'"),
    "the last entry": (lambda b: entries(b, lambda _: None, "receipt"), 8, "the entry 'receipt' is missing"),
    "a proof": (
        lambda b: entries(b, lambda e: edited(e, proof=b""), "sealed"),
        8,
        "the proof of inclusion of the entry 'sealed' is missing",
    ),
    "the cosignature": (
        lambda b: _without_lines(b, "receipt", of=labels.OFFICE),
        8,
        "the cosignature of BY on the checkpoint of the entry 'receipt' is missing",
    ),
    "half of the cosignature": (
        lambda b: _without_lines(b, "sealed", of=labels.OFFICE, keep=1),
        4,
        "only half of a signature of valiza/v1/office/BY",
    ),
    "half of the checkpoint": (lambda b: _without_lines(b, "sealed", of=labels.LOG, keep=1), 4, "only half of a signature of valiza/v1/log/KZ"),
    "the checkpoint's signature": (lambda b: _without_lines(b, "sealed", of=labels.LOG), 4, "not signed by a known key of valiza/v1/log/KZ"),
}


@pytest.mark.parametrize("what", REMOVED)
def test_whatever_is_removed_is_named(what: str, case: Case, tmp_path: Path) -> None:
    edit, code, words = REMOVED[what]
    bundle, _ = taken_apart(case.origin)
    error = failure(case, write(tmp_path / "less.vle", edit(bundle)))
    assert (error.exit_code, words in error.message) == (code, True), error.message


def test_a_removed_stream_is_told(case: Case, tmp_path: Path) -> None:
    bundle, streams = taken_apart(case.destination)
    for cut, words in ((streams[:-1], "missing or cut"), (b"", "missing or cut"), (streams + b"\0", "something follows")):
        error = failure(case, write(tmp_path / "less.vle", bundle, cut))
        assert (error.exit_code, words in error.message) == (3, True)


def test_a_carrier_that_nothing_signed_speaks_of_is_not_shown(case: Case, tmp_path: Path) -> None:
    bundle, streams = taken_apart(case.destination)
    bare = entries(entries(entries(bundle, lambda _: None, "receipt"), lambda _: None, "answered"), lambda _: None, "opened")
    error = failure(case, write(tmp_path / "less.vle", _as_dispatch(bare), streams))
    assert (error.exit_code, "the manifest, or an answer to an opened envelope, is missing" in error.message) == (8, True)


# -- what is said not to be there ----------------------------------------------------------------------------------------


def test_what_was_never_signed_is_said_to_be_so_and_is_not_proved(case: Case, tmp_path: Path) -> None:
    bundle, _ = taken_apart(case.origin)
    weaker = entries(bundle, lambda e: edited(e, standing="entered", proof=b""), "receipt")
    found = success(case, write(tmp_path / "entered.vle", weaker))
    words = "that KZ/KZ-MFA ever entered the receipt: no signed head of its log covers that, it is the word of whoever made the bundle"
    assert words in found.findings.not_proved
    assert not any("entered the receipt" in said for said in found.findings.proved)
    bare = entries(_without_lines(bundle, "sealed", of=labels.OFFICE), lambda e: edited(e, standing="signed"), "sealed")
    found = success(case, write(tmp_path / "signed.vle", bare))
    assert any(
        "its entry of the sealing: when the bundle was made that was cosigned by nobody of the other party" in s for s in found.findings.not_proved
    )


def test_a_cosignature_that_is_there_is_not_denied(case: Case, tmp_path: Path) -> None:
    bundle, _ = taken_apart(case.origin)
    denied = entries(bundle, lambda e: edited(e, standing="signed"), "sealed")
    assert "is said not to be cosigned, and is" in failure(case, write(tmp_path / "denied.vle", denied)).message


# -- what is altered -----------------------------------------------------------------------------------------------------


def _leaf(place: int, value: object) -> Callable[[Bundle], Bundle]:
    def change(entry: LoggedEntry) -> LoggedEntry:
        items = unpack(entry.leaf, max_bytes=8192, what="leaf")
        items[place] = value
        return edited(entry, leaf=pack(items))

    return lambda bundle: entries(bundle, change, "sealed")


ALTERED: Final[dict[str, tuple[Edit, int, str]]] = {
    "when it was entered": (_leaf(4, 1_700_000_000), 4, "the proof of inclusion does not hold"),
    "its blinding": (_leaf(0, bytes(16)), 4, "the proof of inclusion does not hold"),
    "its number": (_leaf(3, "KZ-MFA/2026/out/9"), 4, "the proof of inclusion does not hold"),
    "its envelope": (_leaf(7, bytes(32)), 4, "about another envelope"),
    "its statement": (_leaf(9, bytes(32)), 4, "about another dispatch than the one in the evidence bundle"),
    "its agreement": (_leaf(5, bytes(32)), 4, "about another envelope"),
    "its kind": (_leaf(1, "attempt"), 3, "an entry 'attempt' is no evidence"),
    "whose log": (lambda b: replace(b, logs=tuple(replace(p, body=replace(p.body, id="KZ-BANK")) for p in b.logs)), 3, "nothing to do with"),
    "which log": (
        lambda b: replace(b, logs=tuple(replace(p, body=replace(p.body, party="BY", id="BY-MFA")) for p in b.logs)),
        3,
        "the log of BY/BY-MFA: an entry 'sealed' is not one that BY/BY-MFA makes of this envelope",
    ),
    "the manifest": (lambda b: replace(b, manifest=flipped(b.manifest or b"", 40)), 4, "the manifest: it is not the one that the dispatch signs"),
    "two rosters of one party": (lambda b: replace(b, rosters=(b.rosters[0], b.rosters[0])), 3, "two rosters of BY"),
    "the order of the rosters": (lambda b: replace(b, rosters=b.rosters[::-1]), 3, "rosters is not in strictly ascending order"),
    "a further statement": (lambda b: replace(b, further=(b.statement,)), 3, "another receipt:"),
    "a carrier": (
        lambda b: replace(b, carriers=(DisclosedCarrier(index=7, stream_key=bytes(32), commitment_key=bytes(32), size=0),)),
        3,
        "the stream of a disclosed carrier is missing",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_whatever_is_altered_is_found(what: str, case: Case, tmp_path: Path) -> None:
    edit, code, words = ALTERED[what]
    bundle, _ = taken_apart(case.origin)
    error = failure(case, write(tmp_path / "altered.vle", edit(bundle)))
    assert (error.exit_code, words in error.message) == (code, True), error.message


@pytest.mark.parametrize("what", ["statement", "logs", "manifest"])
def test_parts_of_another_envelope_do_not_fit(what: str, case: Case, tmp_path: Path) -> None:
    bundle, other = taken_apart(case.origin)[0], taken_apart(case.other)[0]
    error = failure(case, write(tmp_path / "mixed.vle", replace(bundle, **{what: getattr(other, what)})))
    assert error.exit_code == 4
    assert "another" in error.message or "not the one" in error.message


# What two bundles about two envelopes of one exchange have in common.
SHARED: Final = {"kind", "made_at", "core", "rosters", "agreements", "further", "cores", "extensions"}


@pytest.mark.parametrize("what", [one.name for one in fields(Bundle)])
def test_no_element_of_one_bundle_counts_in_another_s_place(what: str, case: Case, tmp_path: Path) -> None:
    """Each element, put from every bundle into every other: it is refused, or it was the same, or it says the same of the same envelope."""
    made = {path: taken_apart(path) for path in (case.origin, case.destination, case.other)}
    whole = {path: success(case, path) for path in made}
    for host, donor in itertools.permutations(made, 2):
        bundle, streams = made[host]
        spliced = replace(bundle, **{what: getattr(made[donor][0], what)})
        carried = made[donor][1] if what == "carriers" else streams
        found = outcome(case, write(tmp_path / "spliced.vle", spliced, carried))
        about = {one.verified.signed.digest for one in (whole[host], whole[donor])}
        if isinstance(found, ValizaError):
            assert what not in SHARED, found.message
            assert found.exit_code in {3, 4, 8}, found.message
        else:
            left_out = not getattr(made[donor][0], what)  # that nothing is shown is no element
            assert what in SHARED or len(about) == 1 or left_out, f"{what} of {donor.name} in {host.name}"
            assert found.verified.signed.digest == whole[host].verified.signed.digest
            assert found.verified.verdict is whole[host].verified.verdict


@pytest.mark.parametrize("what", ["leaf", "proof"])
def test_no_part_of_an_entry_counts_in_another_s_place(what: str, case: Case, tmp_path: Path) -> None:
    """Of another kind in the same log, of the other party's log, and of the same kind about another envelope."""
    made = [taken_apart(path)[0] for path in (case.origin, case.destination, case.other)]
    every = [(bundle, entry) for bundle in made for entry in bundle.logs[0].entries]
    spliced = 0
    for (bundle, entry), (_, donor) in itertools.permutations(every, 2):
        if getattr(entry, what) != getattr(donor, what):
            new = replace(entry, **{what: getattr(donor, what)})
            part = replace(bundle.logs[0], entries=tuple(new if one == entry else one for one in bundle.logs[0].entries))
            changed = replace(bundle, logs=(part,), manifest=None, carriers=())
            found = outcome(case, write(tmp_path / "spliced.vle", changed))
            assert isinstance(found, ValizaError), what
            assert found.exit_code in {3, 4, 8}, found.message
            spliced += 1
    assert spliced > 20


def test_another_root_is_not_believed(case: Case) -> None:
    with pytest.raises(ValizaError, match="the root of KZ in the evidence bundle has none of the fingerprints that were given") as caught:
        verify_evidence(case.origin, [bytes(32), case.fingerprints[1]])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stream_key": bytes(32)}, "the payload is altered"),
        ({"commitment_key": bytes(32)}, "its length or key is not that of the manifest"),
        ({"index": 1}, "its length or key is not that of the manifest"),
        ({"index": 2}, "the envelope has no such file carrier"),
    ],
)
def test_a_disclosed_carrier_is_the_one_that_was_sealed(changes: dict[str, object], words: str, case: Case, tmp_path: Path) -> None:
    bundle, streams = taken_apart(case.destination)
    (first, _), length = bundle.carriers, bundle.carriers[0].stream_length
    altered = replace(bundle, carriers=(replace(first, **changes),))  # type: ignore[arg-type] # fields of it
    error = failure(case, write(tmp_path / "altered.vle", altered, streams[:length]))
    assert (error.exit_code, words in error.message) == (4, True), error.message


def test_a_carrier_without_the_manifest_is_the_one_that_was_acknowledged(case: Case, tmp_path: Path) -> None:
    bundle, streams = taken_apart(case.destination)
    alone = replace(bundle, manifest=None)
    found = success(case, write(tmp_path / "alone.vle", alone, streams))
    assert [carrier.name for carrier in found.shown] == ["carrier-0", "carrier-1"]
    words = "that KZ/KZ-MFA sealed what is shown as carriers 0, 1: without the manifest, and without an entry that KZ/KZ-MFA judged the receipt as"
    assert [line.startswith(words) for line in found.findings.not_proved].count(True) == 1
    assert not any("by the destination's word alone" in line for line in success(case, case.destination).findings.not_proved)
    # The origin's own word of the comparison, in its signed log, settles that.
    judged = replace(alone, logs=tuple(sorted((*alone.logs, *taken_apart(case.origin)[0].logs), key=lambda part: part.body)))
    found = success(case, write(tmp_path / "judged.vle", judged, streams))
    assert not any("by the destination's word alone" in line for line in found.findings.not_proved)
    unsigned = entries(judged, lambda e: edited(e, standing="entered", proof=b""), "receipt", 1)
    found = success(case, write(tmp_path / "unsigned.vle", unsigned, streams))
    assert any("by the destination's word alone" in line for line in found.findings.not_proved)
    forged = replace(alone, carriers=(replace(alone.carriers[0], commitment_key=bytes(32)), alone.carriers[1]))
    error = failure(case, write(tmp_path / "forged.vle", forged, streams))
    assert error.message == "the carrier 0: it is not the one that was acknowledged"
    changed = bytearray(streams)
    changed[100] ^= 1
    assert failure(case, write(tmp_path / "changed.vle", alone, bytes(changed))).exit_code == 4


def test_without_an_answer_a_carrier_is_what_the_origin_committed_to(case: Case, tmp_path: Path) -> None:
    """The manifest says so, and what the payload held may be another thing: whoever opened it may have refused it for that."""
    bundle, streams = taken_apart(case.destination)
    bare = entries(entries(bundle, lambda _: None, "receipt"), lambda _: None, "answered")
    found = success(case, write(tmp_path / "sealed.vle", replace(_as_dispatch(bare), manifest=bundle.manifest), streams))
    assert any("it is what the origin committed to, not what the payload held" in line for line in found.findings.not_proved)
    assert not any("acknowledged" in line for line in found.findings.proved)


def _claims(path: Path) -> range:
    """Where a bundle says when it was made: the one thing that nobody signed and nothing depends on."""
    with path.open("rb", buffering=0) as source:
        bundle = read_bundle_file(source).bundle
    begin = len(labels.MAGIC_EVIDENCE) + 8 + 3 + len(pack(bundle.kind))
    return range(begin, begin + len(pack(bundle.made_at)))


def _never_believed(case: Case, path: Path, places: list[int], tmp_path: Path) -> None:
    good, claims = path.read_bytes(), _claims(path)
    target = tmp_path / "flipped.vle"
    for place in places:
        target.write_bytes(flipped(good, place, 1 << place % 8))
        found = outcome(case, target)
        if place in claims:
            continue
        assert isinstance(found, ValizaError), f"byte {place} is believed"
        assert found.exit_code in {3, 4, 6, 8}, f"byte {place}: {found.message}"


def test_a_flipped_byte_is_never_believed(case: Case, tmp_path: Path) -> None:
    for path in (case.origin, case.destination):
        size = path.stat().st_size
        _never_believed(case, path, random.Random("evidence").sample(range(size), SAMPLE), tmp_path)  # noqa: S311 - the same places every time


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_flipped_byte_is_ever_believed(part: int, case: Case, tmp_path: Path) -> None:
    """Every byte of what is small, a sixteenth of what is long: another one in each part."""
    data = case.origin.read_bytes()
    bundle, _ = taken_apart(case.origin)
    begin, end = data.index(bundle.rosters[0]), data.index(bundle.agreements[0])
    logs = data.index(bundle.logs[0].entries[0].leaf)
    head = len(labels.MAGIC_EVIDENCE) + 8
    small = [*range(head + 64), *(at for entry in bundle.logs[0].entries for at in range(data.index(entry.leaf), data.index(entry.leaf) + 300))]
    long = [*range(head + 64 + part, begin, 16), *range(begin + part, end, 256), *range(end + part, logs, 32), *range(logs + part, len(data), 16)]
    _never_believed(case, case.origin, [*small[part::4], *long], tmp_path)
