"""Checkpoints, their signatures and cosignatures: what is taken, and everything that is not."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

import nacl.bindings
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.keys.errors import Malformed, NotAuthentic, Usage
from valiza.keys.fields import MAX_TIME, Body
from valiza.keys.log_key import LogSigningKey, LogVerifyKey
from valiza.register import note
from valiza.register.merkle import EMPTY_ROOT, MAX_SIZE
from valiza.register.note import Checkpoint, Note, SignatureLine, SignedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable

AT: Final = 1772442000
OURS: Final = Body("KZ", "KZ-MFA")
THEIRS: Final = Body("BY", "BY-MFA")
AGREEMENT: Final = hashlib.sha256(b"agreement").digest()
ORIGIN: Final = note.log_origin(OURS, AGREEMENT)
NAME: Final = note.office_name(THEIRS)
ROOT: Final = hashlib.sha256(b"root").digest()
CHECKPOINT: Final = Checkpoint(ORIGIN, 5, ROOT)
LOG, NEXT, OFFICE = (LogSigningKey(bytes([number]) * 64) for number in (1, 2, 3))
LOG_KEY, NEXT_KEY, OFFICE_KEY = (LogVerifyKey(key.public) for key in (LOG, NEXT, OFFICE))
SIGNED: Final = note.sign_checkpoint(CHECKPOINT, LOG, AT)
COSIGNED: Final = note.cosign(SIGNED, THEIRS, OFFICE, AT + 60)


def verified(data: bytes = COSIGNED) -> SignedCheckpoint:
    return note.verify_checkpoint(data, ORIGIN, [LOG_KEY])


def lines(data: bytes) -> list[SignatureLine]:
    return list(note.read_note(data).lines)


def with_lines(*found: SignatureLine) -> bytes:
    return Note(CHECKPOINT.text, found).format()


def unknown(number: int) -> SignatureLine:
    return SignatureLine(f"witness.example/w{number}", b"%04d" % number, b"signature")


# -- names ------------------------------------------------------------------------------------------------------------


def test_names() -> None:
    assert f"valiza/v1/log/KZ/KZ-MFA/{AGREEMENT.hex()}" == ORIGIN
    assert note.parse_log_origin(ORIGIN) == (OURS, AGREEMENT)
    assert NAME == "valiza/v1/office/BY/BY-MFA"
    assert note.parse_office_name(NAME) == THEIRS


@pytest.mark.parametrize(
    "name",
    [
        "",
        "valiza/v1/log/KZ/KZ-MFA",
        ORIGIN + "/",
        ORIGIN + "0",
        ORIGIN[:-1],
        ORIGIN.upper(),
        ORIGIN[:-1] + "A",
        ORIGIN.replace("KZ/", "kz/"),
        ORIGIN.replace("KZ/", "KZ/KZ/"),
        ORIGIN.replace("KZ-MFA", ""),
        ORIGIN.replace("log", "office"),
        ORIGIN.replace("v1", "v2"),
        " " + ORIGIN,
        ORIGIN.removeprefix("valiza/v1/log/"),
        ORIGIN + "\n",
        NAME,
    ],
)
def test_other_names_are_no_logs(name: str) -> None:
    with pytest.raises(Malformed):
        note.parse_log_origin(name)


@pytest.mark.parametrize(
    "name", ["", NAME + "/", "valiza/v1/office/BY", "BY/BY-MFA", NAME + " ", NAME.lower(), NAME + "+", ORIGIN, "valiza/v1/office//"]
)
def test_other_names_are_no_offices(name: str) -> None:
    with pytest.raises(Malformed):
        note.parse_office_name(name)


# -- what C2SP publishes ----------------------------------------------------------------------------------------------


def test_the_example_of_signed_note() -> None:
    """The key ID and the form of the note that C2SP signed-note shows, and its signature by its key."""
    vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    shown = (
        "This is an example message.\n\n"
        "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    name, key_id, public = vkey.split("+")
    key = base64.b64decode(public)
    assert note._key_id(name, key[0], key[1:]).hex() == key_id
    assert note._vkey(name, key[0], key[1:]) == vkey
    found = note.read_note(shown.encode())
    assert found.format() == shown.encode()
    (line,) = found.lines
    assert (line.name, line.key_id.hex()) == (name, key_id)
    nacl.bindings.crypto_sign_open(line.signature + found.text, key[1:])


def test_the_text_of_a_note_may_have_empty_lines() -> None:
    found = note.read_note("\n\n a \n\n\n\n— b AAAAAAA=\n".encode())
    assert found.text == b"\n\n a \n\n\n"
    assert found.lines == (SignatureLine("b", bytes(4), b"\0"),)
    assert note.read_note("\n\n— b AAAAAAA=\n".encode()).text == b"\n"


# -- notes ------------------------------------------------------------------------------------------------------------

LINE: Final = "— b AAAAAAA=\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text" + LINE,
        b"text\n" + LINE,
        b"text\n\n" + LINE[:-1],
        LINE,
        b"\n" + LINE,
        b"x" + LINE,
        b"text\n\n" + LINE.removeprefix("— ".encode()),
        b"text\n\n" + LINE + b"\n",
        b"text\n\n" + LINE + b"more\n",
        b"text\r\n\r\n" + LINE,
        b"te\x00xt\n\n" + LINE,
        b"te\txt\n\n" + LINE,
        b"te\xffxt\n\n" + LINE,
        b"te\xed\xa0\x80xt\n\n" + LINE,
        b"text\n\n" + LINE.replace(b" b", b"  b"),
        b"text\n\n" + LINE.replace(b" b", b" "),
        b"text\n\n" + LINE.replace(b" b", b" b+c"),
        b"text\n\n" + LINE.replace(b" b", " b\u00a0c".encode()),
        b"text\n\n" + LINE.replace(b" b", " b\u2028c".encode()),
        b"text\n\n" + LINE.replace("—".encode(), b"-"),
        b"text\n\n" + LINE.replace("—".encode(), "–".encode()),
        b"text\n\n " + LINE,
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b""),
        b"text\n\n" + LINE.replace(b" AAAAAAA=", b""),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAAAA=="),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAAAAB="),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAAAAA"),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAAAAA=="),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAA AAA="),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", b"AAAA-AA="),
        b"text\n\n" + LINE.replace(b"AAAAAAA=", "AAAAАA=".encode()),
        b"text\n\n" + LINE.replace(b"=\n", b"= \n"),
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(Malformed):
        note.read_note(data)


def test_limits_of_a_note() -> None:
    assert len(note.read_note(b"text\n\n" + LINE * note.MAX_SIGNATURES).lines) == note.MAX_SIGNATURES
    with pytest.raises(Malformed, match="signatures"):
        note.read_note(b"text\n\n" + LINE * (note.MAX_SIGNATURES + 1))
    end = b"\n\n" + LINE
    assert note.read_note(b"a" * (note.MAX_NOTE - len(end)) + end).lines
    with pytest.raises(Malformed, match="at most"):
        note.read_note(b"a" * (note.MAX_NOTE - len(end) + 1) + end)


def test_sixteen_long_signatures_are_taken() -> None:
    """C2SP asks every reader to take 16, and warns of nearly 5 kB each."""
    found = with_lines(*lines(SIGNED.raw), *(SignatureLine(f"w{number}", b"long", bytes(4900)) for number in range(14)))
    assert verified(found).checkpoint == CHECKPOINT


@given(st.binary(max_size=60).map(lambda data: b"text\n\n" + data) | st.text(max_size=60).map(lambda text: f"text\n\n— {text}\n".encode()))
def test_what_is_read_is_what_is_written(data: bytes) -> None:
    try:
        found = note.read_note(data)
    except Malformed:
        return
    assert found.format() == data


# -- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    found = verified(SIGNED.raw)
    assert found == SIGNED
    assert (found.checkpoint, found.at, found.raw) == (CHECKPOINT, AT, SIGNED.raw)
    assert SIGNED.raw.startswith(b"%b\n5\n%b\n\n" % (ORIGIN.encode(), base64.b64encode(ROOT)))
    assert [(line.name, len(line.signature)) for line in lines(SIGNED.raw)] == [(ORIGIN, 64), (ORIGIN, 8 + 2420)]
    assert note.peek_checkpoint(SIGNED.raw) == CHECKPOINT


@pytest.mark.parametrize("size", [1, 9, 10, 99, 10**18, MAX_SIZE])
def test_sizes(size: int) -> None:
    signed = note.sign_checkpoint(Checkpoint(ORIGIN, size, ROOT), LOG, AT)
    assert verified(signed.raw).checkpoint.size == size


def test_the_checkpoint_of_an_empty_log() -> None:
    assert verified(note.sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), LOG, AT).raw).checkpoint.size == 0
    with pytest.raises(Malformed, match="empty tree"):
        note.sign_checkpoint(Checkpoint(ORIGIN, 0, ROOT), LOG, AT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n5\n", b"\n05\n"),
        (b"\n5\n", b"\n+5\n"),
        (b"\n5\n", b"\n-5\n"),
        (b"\n5\n", b"\n5 \n"),
        (b"\n5\n", b"\n\n"),
        (b"\n5\n", b"\n5.0\n"),
        (b"\n5\n", b"\n0x5\n"),
        (b"\n5\n", "\n٥\n".encode()),
        (b"\n5\n", b"\n%d\n" % (MAX_SIZE + 1)),
        (b"\n5\n", b"\n" + b"9" * 400 + b"\n"),
        (b"\n5\n", b"\n5\n5\n"),
        (b"=\n\n", b"=\nextension\n\n"),
        (b"=\n\n", b"=\n\n\n"),
        (b"=\n\n", b"\n\n"),
        (b"=\n\n", b"==\n\n"),
        (base64.b64encode(ROOT), base64.b64encode(ROOT[:31])),
        (base64.b64encode(ROOT), base64.b64encode(ROOT + b"1")),
        (base64.b64encode(ROOT), ROOT.hex().encode()),
        (ORIGIN.encode() + b"\n", ORIGIN.encode() + b" \n"),
        (ORIGIN.encode() + b"\n", b"example.com/log\n"),
        (ORIGIN.encode() + b"\n", b"\n"),
        (ORIGIN.encode() + b"\n", b""),
    ],
)
def test_what_is_no_checkpoint(old: bytes, new: bytes) -> None:
    data = SIGNED.raw.replace(old, new, 1)
    assert data != SIGNED.raw
    with pytest.raises(Malformed):
        verified(data)
    with pytest.raises(Malformed):
        note.peek_checkpoint(data)


def test_a_root_in_another_spelling_is_refused() -> None:
    coded = base64.b64encode(ROOT)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = coded[:-2] + bytes([letters[letters.index(coded[-2]) + 1]]) + b"="
    assert base64.b64decode(other) == ROOT
    with pytest.raises(Malformed):
        verified(SIGNED.raw.replace(coded, other))


def test_a_checkpoint_of_another_log() -> None:
    for origin in (note.log_origin(THEIRS, AGREEMENT), note.log_origin(OURS, bytes(32))):
        with pytest.raises(NotAuthentic, match="another log"):
            note.verify_checkpoint(SIGNED.raw, origin, [LOG_KEY])


def test_nobody_knows_the_key() -> None:
    with pytest.raises(NotAuthentic, match="known key"):
        note.verify_checkpoint(SIGNED.raw, ORIGIN, [NEXT_KEY])
    with pytest.raises(NotAuthentic, match="known key"):
        note.verify_checkpoint(SIGNED.raw, ORIGIN, [])


@pytest.mark.parametrize("kept", [0, 1])
def test_half_a_signature_is_none(kept: int) -> None:
    with pytest.raises(NotAuthentic, match="half"):
        verified(with_lines(lines(SIGNED.raw)[kept]))
    other = lines(note.sign_checkpoint(CHECKPOINT, NEXT, AT).raw)
    with pytest.raises(NotAuthentic, match="half"):
        note.verify_checkpoint(with_lines(lines(SIGNED.raw)[kept], other[1 - kept]), ORIGIN, [LOG_KEY, NEXT_KEY])
    with pytest.raises(NotAuthentic, match="half"):
        note.verify_checkpoint(with_lines(*lines(SIGNED.raw), other[kept]), ORIGIN, [LOG_KEY, NEXT_KEY])


def _of_one_id(name: str, first: int, second: int) -> tuple[LogSigningKey, LogSigningKey]:
    """Two keys with one ML-DSA half, whose Ed25519 halves, found by trying, have one ID under this name."""
    one, two = (LogSigningKey(bytes(32) + number.to_bytes(32, "big")) for number in (first, second))
    ids = [[line.key_id for line in _signed_as(name, key)] for key in (one, two)]
    assert (one.public != two.public, ids[0]) == (True, ids[1])
    return one, two


def _signed_as(name: str, key: LogSigningKey) -> list[SignatureLine]:
    return lines(note.sign_checkpoint(CHECKPOINT, key, AT).raw) if name == ORIGIN else lines(note.cosign(SIGNED, THEIRS, key, AT))[2:]


def test_known_key_of_the_same_id_takes_nothing_from_one_that_signed() -> None:
    """A body would else have such a key certified, and so take back whatever it signed with the earlier one, with an ID of 4 bytes or half a key."""
    one, two = _of_one_id(ORIGIN, 12683, 83700)
    key, other = LogVerifyKey(one.public), LogVerifyKey(two.public)
    data = note.sign_checkpoint(CHECKPOINT, one, AT).raw
    mixed = LogVerifyKey(NEXT_KEY.mldsa + key.ed25519)
    for known in ([key, other], [other, key], [mixed, key], [other, mixed, key]):
        assert note.verify_checkpoint(data, ORIGIN, known).key is key
    with pytest.raises(NotAuthentic):
        note.verify_checkpoint(data, ORIGIN, [other])
    with pytest.raises(NotAuthentic, match="half"):
        note.verify_checkpoint(data, ORIGIN, [mixed])
    spoilt = with_lines(lines(data)[0], flipped(lines(data)[1]))
    with pytest.raises(NotAuthentic):
        note.verify_checkpoint(spoilt, ORIGIN, [key, other])
    with pytest.raises(NotAuthentic, match="half"):  # a line of a third key, which has no other half here, is not covered by the first
        note.verify_checkpoint(with_lines(*lines(data), _signed_as(ORIGIN, NEXT)[0]), ORIGIN, [key, other, NEXT_KEY])
    with pytest.raises(NotAuthentic):  # nor one that does not hold
        note.verify_checkpoint(with_lines(*lines(data), *map(flipped, _signed_as(ORIGIN, NEXT))), ORIGIN, [key, other, NEXT_KEY])


def test_known_key_of_the_same_id_takes_nothing_from_a_cosigner() -> None:
    one, two = _of_one_id(NAME, 30201, 92571)
    key, other = LogVerifyKey(one.public), LogVerifyKey(two.public)
    signed = verified(note.cosign(SIGNED, THEIRS, one, AT + 60))
    for known in ([key, other], [other, key], [LogVerifyKey(key.mldsa + NEXT_KEY.ed25519), key]):
        found = note.read_cosignature(signed, THEIRS, known)
        assert found is not None
        assert (found.key, found.at) == (key, AT + 60)
    with pytest.raises(NotAuthentic):
        note.read_cosignature(signed, THEIRS, [other])


@pytest.mark.parametrize("twice", [0, 1])
def test_no_key_signs_twice(twice: int) -> None:
    again = note.sign_checkpoint(CHECKPOINT, LOG, AT + 1)
    with pytest.raises(Malformed, match="two signatures"):
        verified(with_lines(*lines(SIGNED.raw), lines(again.raw)[twice]))


def test_a_log_may_sign_with_two_keys_and_both_count() -> None:
    both = with_lines(*lines(SIGNED.raw), *lines(note.sign_checkpoint(CHECKPOINT, NEXT, SIGNED.at).raw))
    assert note.verify_checkpoint(both, ORIGIN, [LOG_KEY, NEXT_KEY]).key is LOG_KEY
    found = note.verify_checkpoint(both, ORIGIN, [NEXT_KEY])
    assert (found.key, found.at) == (NEXT_KEY, SIGNED.at)
    at_two_times = with_lines(*lines(SIGNED.raw), *lines(note.sign_checkpoint(CHECKPOINT, NEXT, SIGNED.at + 5).raw))
    with pytest.raises(Malformed, match="two times"):
        note.verify_checkpoint(at_two_times, ORIGIN, [LOG_KEY, NEXT_KEY])
    broken = with_lines(*lines(SIGNED.raw), *(flipped(line) for line in lines(note.sign_checkpoint(CHECKPOINT, NEXT, AT).raw)))
    with pytest.raises(NotAuthentic):
        note.verify_checkpoint(broken, ORIGIN, [LOG_KEY, NEXT_KEY])
    assert note.verify_checkpoint(broken, ORIGIN, [LOG_KEY]).key is LOG_KEY


def flipped(line: SignatureLine) -> SignatureLine:
    return SignatureLine(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "spoil",
    [
        flipped,
        lambda line: SignatureLine(line.name, line.key_id, bytes([line.signature[0] ^ 0x80]) + line.signature[1:]),
        lambda line: SignatureLine(line.name, line.key_id, line.signature[:-1]),
        lambda line: SignatureLine(line.name, line.key_id, line.signature + b"\0"),
        lambda line: SignatureLine(line.name, line.key_id, b"\0"),
    ],
    ids=["last bit", "first bit", "shorter", "longer", "one byte"],
)
def test_a_signature_of_a_known_key_holds_or_the_note_is_refused(index: int, spoil: Callable[[SignatureLine], SignatureLine]) -> None:
    found = lines(SIGNED.raw)
    found[index] = spoil(found[index])
    with pytest.raises(NotAuthentic):
        verified(with_lines(*found))


def test_every_changed_bit_of_what_is_signed_is_refused() -> None:
    for place in range(len(CHECKPOINT.text)):
        for bit in range(8):
            data = SIGNED.raw[:place] + bytes([SIGNED.raw[place] ^ (1 << bit)]) + SIGNED.raw[place + 1 :]
            with pytest.raises((Malformed, NotAuthentic)):
                verified(data)


@given(st.integers(0, len(COSIGNED) - 1), st.integers(0, 7))
def test_a_changed_bit_anywhere_changes_nothing_that_is_believed(place: int, bit: int) -> None:
    """Only the names and key IDs of lines are free, and who changes them takes the line away."""
    data = COSIGNED[:place] + bytes([COSIGNED[place] ^ (1 << bit)]) + COSIGNED[place + 1 :]
    try:
        found = verified(data)
        cosignature = note.read_cosignature(found, THEIRS, [OFFICE_KEY])
    except (Malformed, NotAuthentic):
        return
    assert (found.checkpoint, found.at) == (CHECKPOINT, AT)
    assert cosignature is None
    assert place > COSIGNED.index(NAME.encode()) - 1


def test_lines_of_others_are_ignored_and_kept() -> None:
    mixed = with_lines(unknown(1), *lines(SIGNED.raw)[::-1], SignatureLine(ORIGIN, b"####", b"?"), unknown(2))
    found = verified(mixed)
    assert (found.checkpoint, found.at, found.raw) == (CHECKPOINT, AT, mixed)


@pytest.mark.parametrize("at", [1, MAX_TIME])
def test_the_first_and_the_last_time(at: int) -> None:
    signed = note.sign_checkpoint(CHECKPOINT, LOG, at)
    found = verified(note.cosign(signed, THEIRS, OFFICE, at))
    cosignature = note.read_cosignature(found, THEIRS, [OFFICE_KEY])
    assert cosignature is not None
    assert (found.at, cosignature.at) == (at, at)


@pytest.mark.parametrize("at", [0, -1, MAX_TIME + 1])
def test_a_checkpoint_is_signed_at_some_time(at: int) -> None:
    with pytest.raises(Usage):
        note.sign_checkpoint(CHECKPOINT, LOG, at)
    with pytest.raises(Usage):
        note.cosign(SIGNED, THEIRS, OFFICE, at)


@pytest.mark.parametrize("at", [0, MAX_TIME + 1, (1 << 64) - 1])
def test_a_checkpoint_that_was_signed_at_no_time_is_refused(at: int) -> None:
    found = lines(SIGNED.raw)
    found[1] = note._mldsa_line(ORIGIN, CHECKPOINT, LOG, LOG_KEY, at)
    with pytest.raises(Malformed, match="no time"):
        verified(with_lines(*found))


def test_the_time_is_signed() -> None:
    found = lines(SIGNED.raw)
    found[1] = SignatureLine(ORIGIN, found[1].key_id, (AT + 1).to_bytes(8, "big") + found[1].signature[8:])
    with pytest.raises(NotAuthentic):
        verified(with_lines(*found))


# -- cosignatures -----------------------------------------------------------------------------------------------------


def test_a_cosignature_is_read_as_it_was_made() -> None:
    found = verified()
    assert (found.checkpoint, found.at) == (CHECKPOINT, AT)
    cosignature = note.read_cosignature(found, THEIRS, [NEXT_KEY, OFFICE_KEY])
    assert cosignature == note.Cosignature(NAME, AT + 60, OFFICE_KEY)
    assert cosignature.key is OFFICE_KEY
    assert [(line.name, len(line.signature)) for line in lines(COSIGNED)] == [(ORIGIN, 64), (ORIGIN, 2428), (NAME, 72), (NAME, 2428)]


def test_a_cosigned_note_has_only_what_was_verified() -> None:
    mixed = with_lines(unknown(1), *lines(SIGNED.raw), *(unknown(number) for number in range(2, 14)))
    assert lines(note.cosign(verified(mixed), THEIRS, OFFICE, AT))[:2] == lines(SIGNED.raw)
    again = note.cosign(verified(), THEIRS, OFFICE, AT + 90)
    assert len(lines(again)) == 4
    later = note.read_cosignature(verified(again), THEIRS, [OFFICE_KEY])
    assert later is not None
    assert later.at == AT + 90


def test_no_cosignature() -> None:
    assert note.read_cosignature(SIGNED, THEIRS, [OFFICE_KEY]) is None
    assert note.read_cosignature(verified(), THEIRS, [NEXT_KEY]) is None
    assert note.read_cosignature(verified(), THEIRS, []) is None
    assert note.read_cosignature(verified(), OURS, [OFFICE_KEY]) is None


def test_one_key_signs_and_cosigns_without_being_taken_for_the_other() -> None:
    """An office has one key for its own logs and for cosigning others'."""
    own = note.cosign(SIGNED, THEIRS, LOG, AT)
    assert note.read_cosignature(verified(own), THEIRS, [LOG_KEY]) is not None
    ed25519, mldsa, timed, cosigned = lines(own)
    renamed = (
        SignatureLine(ORIGIN, ed25519.key_id, timed.signature[8:]),
        SignatureLine(ORIGIN, mldsa.key_id, cosigned.signature),
    )
    for line in (0, 1):
        with pytest.raises(NotAuthentic):
            verified(with_lines(*(renamed[index] if index == line else lines(own)[index] for index in (0, 1))))


@pytest.mark.parametrize("index", [2, 3])
def test_a_broken_or_halved_cosignature_is_refused(index: int) -> None:
    found = lines(COSIGNED)
    halved = verified(with_lines(*found[:index], *found[index + 1 :]))
    with pytest.raises(NotAuthentic, match="half"):
        note.read_cosignature(halved, THEIRS, [OFFICE_KEY])
    for spoilt in (flipped(found[index]), SignatureLine(NAME, found[index].key_id, found[index].signature[:-1])):
        broken = verified(with_lines(*found[:index], spoilt, *found[index + 1 :]))
        with pytest.raises(NotAuthentic):
            note.read_cosignature(broken, THEIRS, [OFFICE_KEY])
    twice = verified(with_lines(*found, found[index]))
    with pytest.raises(Malformed, match="two signatures"):
        note.read_cosignature(twice, THEIRS, [OFFICE_KEY])


def test_both_halves_have_one_time() -> None:
    later = lines(note.cosign(SIGNED, THEIRS, OFFICE, AT + 61))
    for mixed in ((lines(COSIGNED)[2], later[3]), (later[2], lines(COSIGNED)[3])):
        with pytest.raises(Malformed, match="two times"):
            note.read_cosignature(verified(with_lines(*lines(SIGNED.raw), *mixed)), THEIRS, [OFFICE_KEY])


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    other = note.sign_checkpoint(Checkpoint(ORIGIN, 6, ROOT), LOG, AT)
    moved = Note(other.checkpoint.text, (*lines(other.raw), *lines(COSIGNED)[2:])).format()
    with pytest.raises(NotAuthentic):
        note.read_cosignature(verified(moved), THEIRS, [OFFICE_KEY])


def test_a_broken_key_that_also_cosigned_condemns_the_cosignature() -> None:
    both = with_lines(*lines(COSIGNED), *(flipped(line) for line in lines(note.cosign(SIGNED, THEIRS, NEXT, AT))[2:]))
    with pytest.raises(NotAuthentic):
        note.read_cosignature(verified(both), THEIRS, [OFFICE_KEY, NEXT_KEY])


# -- verifier keys ----------------------------------------------------------------------------------------------------


def test_vkeys() -> None:
    for name, key, kinds, found in ((ORIGIN, LOG_KEY, (1, 6), lines(COSIGNED)[:2]), (NAME, OFFICE_KEY, (4, 6), lines(COSIGNED)[2:])):
        for vkey, kind, half, line in zip(note.vkeys(name, key), kinds, (key.ed25519, key.mldsa), found, strict=True):
            named, key_id, coded = vkey.split("+", 2)
            assert (named, key_id) == (name, line.key_id.hex())
            assert base64.b64decode(coded) == bytes([kind]) + half
            assert hashlib.sha256(named.encode() + b"\n" + base64.b64decode(coded)).hexdigest()[:8] == key_id
    with pytest.raises(Malformed):
        note.vkeys("example.com/log", LOG_KEY)


# -- contradictions ---------------------------------------------------------------------------------------------------


def signed(size: int, root: bytes, at: int) -> SignedCheckpoint:
    return note.sign_checkpoint(Checkpoint(ORIGIN, size, root), LOG, at)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ((5, ROOT, AT), (5, ROOT, AT + 1), None),
        ((5, ROOT, AT), (5, bytes(32), AT), "split-view"),
        ((5, ROOT, AT), (6, bytes(32), AT), None),
        ((5, ROOT, AT), (6, bytes(32), AT + 1), None),
        ((6, ROOT, AT), (5, bytes(32), AT + 1), "rollback"),
        ((6, ROOT, AT), (0, EMPTY_ROOT, AT + 1), "rollback"),
    ],
)
def test_contradictions(first: tuple[int, bytes, int], second: tuple[int, bytes, int], kind: str | None) -> None:
    assert note.contradict(signed(*first), signed(*second)) == kind
    assert note.contradict(signed(*second), signed(*first)) == kind


def test_two_logs_do_not_contradict_each_other() -> None:
    other = note.sign_checkpoint(Checkpoint(note.log_origin(THEIRS, AGREEMENT), 5, bytes(32)), LOG, AT)
    with pytest.raises(Usage):
        note.contradict(SIGNED, other)
