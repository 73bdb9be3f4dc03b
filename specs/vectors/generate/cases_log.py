"""Vectors of logs (log.md): checkpoints, with cosignatures, proofs of inclusion, requests to cosign."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

import mldsa
import spoil
import wire
import world as w
from cases import WORLD, Cases, Topic

AT = w.when("2026-03-05")
ORIGIN = f"valiza/v1/log/KZ/KZ-MFA/{w.OPEN.digest.hex()}"
OTHERS = f"valiza/v1/log/BY/BY-MFA/{w.OPEN.digest.hex()}"
OFFICE = "valiza/v1/office/BY/BY-MFA"
EMPTY = hashlib.sha256(b"").digest()
MOST = 1 << 62


@dataclass(frozen=True)
class Key:
    """A register's key, by its two seeds: ML-DSA-44 and Ed25519."""

    seed: bytes

    @property
    def mldsa(self) -> bytes:
        return mldsa.public_key(self.seed[:32], mldsa.ML_DSA_44)

    @property
    def ed25519(self) -> bytes:
        return crypto_sign_seed_keypair(self.seed[32:])[0]

    def file(self) -> bytes:
        return wire.log_public(self.seed).hex().encode() + b"\n"

    def sign_ed25519(self, message: bytes) -> bytes:
        return crypto_sign(message, crypto_sign_seed_keypair(self.seed[32:])[1])[:64]

    def sign_mldsa(self, message: bytes) -> bytes:
        return mldsa.sign(self.seed[:32], message, b"", mldsa.ML_DSA_44)


LOG, NEXT, THEIRS = (Key(wire.draw(f"register {name}", 64)) for name in ("KZ-MFA", "KZ-MFA next", "BY-MFA"))
MIXED = Key(NEXT.seed[:32] + LOG.seed[32:])  # its Ed25519 half, and so the ID of that, is LOG's


# -- the tree, as RFC 6962 defines it ---------------------------------------------------------------------------------


def _half(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = _half(len(leaves))
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = _half(len(leaves))
    return [*path(index, leaves[:k]), root(leaves[k:])] if index < k else [*path(index - k, leaves[k:]), root(leaves[:k])]


def growth(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = _half(len(leaves))
    if old <= k:
        return [*growth(old, leaves[:k], whole=whole), root(leaves[k:])]
    return [*growth(old - k, leaves[k:], whole=False), root(leaves[:k])]


def _leaf(index: int) -> bytes:
    """Entries as a register has them: an envelope numbered, sealed, answered for."""
    kind = ("numbered", "sealed", "receipt")[index % 3]
    number = f"KZ-MFA/2026/out/{index // 3 + 1}"
    named = (b"", b"") if kind == "numbered" else (wire.draw(f"envelope {index // 3}"), wire.draw(f"dispatch {index // 3}"))
    said = None if kind == "numbered" else wire.draw(f"statement {index}")
    items: list[wire.Item] = [wire.draw(f"blind {index}", 16), kind, "out", number, AT - 100 + index, w.OPEN.digest, ["KZ", "KZ-MFA"], *named]
    return wire.encode([*items, said, wire.draw(f"record {index}") if kind == "sealed" else None, "delivered" if kind == "receipt" else ""])


LEAVES = [_leaf(index) for index in range(13)]
REWRITTEN = [*LEAVES[:4], _leaf(99), *LEAVES[5:]]


# -- notes ------------------------------------------------------------------------------------------------------------


def line(name: str, kind: int, public: bytes, signature: bytes) -> bytes:
    key_id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]
    return f"— {name} ".encode() + base64.b64encode(key_id + signature) + b"\n"


def _message(name: str, at: int, head: Head) -> bytes:
    parts = [bytes([len(text)]) + text for text in (name.encode(), head.origin.encode())]
    return b"subtree/v1\n\0" + parts[0] + at.to_bytes(8, "big") + parts[1] + bytes(8) + head.size.to_bytes(8, "big") + head.root


@dataclass(frozen=True)
class Head:
    """What a checkpoint says. `text` spoils it on purpose, and is what is signed."""

    size: int = 13
    root: bytes = root(LEAVES)
    origin: str = ORIGIN
    text: bytes = b""

    def body(self) -> bytes:
        return self.text or f"{self.origin}\n{self.size}\n".encode() + base64.b64encode(self.root) + b"\n"

    def lines(self, key: Key = LOG, at: int = AT, name: str = "") -> list[bytes]:
        """The log's own signature."""
        name = name or self.origin
        timed = at.to_bytes(8, "big") + key.sign_mldsa(_message(name, at, self))
        return [line(name, 1, key.ed25519, key.sign_ed25519(self.body())), line(name, 6, key.mldsa, timed)]

    def cosigned(self, key: Key = THEIRS, at: int = AT + 3600, name: str = OFFICE) -> list[bytes]:
        stamp = at.to_bytes(8, "big")
        ed25519 = key.sign_ed25519(f"cosignature/v1\ntime {at}\n".encode() + self.body())
        return [line(name, 4, key.ed25519, stamp + ed25519), line(name, 6, key.mldsa, stamp + key.sign_mldsa(_message(name, at, self)))]

    def note(self, *lines: bytes) -> bytes:
        return self.body() + b"\n" + b"".join(lines or self.lines())


def signed(size: int, leaves: Sequence[bytes] = LEAVES, when: int = 0) -> bytes:
    """A later checkpoint is signed at a later time."""
    head = Head(size, root(leaves[:size]))
    return head.note(*head.lines(at=when or AT - 100 + size))


HEAD = Head()
KEYS = {"origin": (ORIGIN,), "log-key": ("kz-log.key",)}
WORLD.update(
    {
        "kz-log.key": LOG.file(),
        "kz-log-next.key": NEXT.file(),
        "kz-log-mixed.key": MIXED.file(),
        "by-log.key": THEIRS.file(),
        "log-7.note": signed(7),
        "log-8.note": signed(8),
        "log-13.note": signed(13),
    }
)
CHECKPOINT = Topic("checkpoint", "checkpoint", KEYS)
COSIGNED = Topic("cosignature", "checkpoint", {**KEYS, "cosigner": (OFFICE,), "cosigner-key": ("by-log.key",)})
PROOF = Topic("tlog-proof", "tlog-proof", {**KEYS, "leaf": (LEAVES[8].hex(),)})
REQUEST = Topic("cosign-request", "cosign-request", {**KEYS, "last": ("log-7.note",)})
UNKNOWN = "— witness.example/w1 ".encode() + base64.b64encode(b"\1\2\3\4" + bytes(72)) + b"\n"


def _swap(lines: Sequence[bytes], index: int, other: bytes) -> list[bytes]:
    return [*lines[:index], other, *lines[index + 1 :]]


def _spoilt(found: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A line whose signature is changed, key ID apart."""
    begin, _, coded = found.rstrip(b"\n").rpartition(b" ")
    data = base64.b64decode(coded)
    return begin + b" " + base64.b64encode(data[:4] + change(data[4:])) + b"\n"


def _checkpoints() -> Cases:
    ours, both = HEAD.lines(), {"log-key": ("kz-log.key", "kz-log-next.key")}
    yield CHECKPOINT.good("good", HEAD.note(), "a checkpoint of a log of 13 entries")
    yield CHECKPOINT.good("empty", Head(0, EMPTY).note(), "a log without entries")
    yield CHECKPOINT.good("largest", Head(MOST).note(), "a log of 2^62 entries")
    yield CHECKPOINT.good("lines_turned", HEAD.note(*ours[::-1]), "the lines in another order")
    yield CHECKPOINT.good("lines_of_others", HEAD.note(UNKNOWN, *ours, UNKNOWN), "lines of keys that nobody knows are ignored")
    yield CHECKPOINT.good("sixteen_lines", HEAD.note(*ours, *[UNKNOWN] * 14), "as many lines as every reader takes")
    yield CHECKPOINT.good("two_keys", HEAD.note(*ours, *HEAD.lines(NEXT)), "the log signed with its old key and its new one", **both)
    yield CHECKPOINT.good("key_renewed", HEAD.note(*HEAD.lines(NEXT)), "signed with the new key", **both)
    mixed = {"log-key": ("kz-log-mixed.key", "kz-log.key")}
    yield CHECKPOINT.good("half_shared", HEAD.note(*ours), "a known key that shares a half with the one that signed, and did not sign", **mixed)
    yield CHECKPOINT.good("other_key_id", HEAD.note(*ours, line(ORIGIN, 1, bytes(32), bytes(64))), "a key of the log's name that nobody knows")
    yield CHECKPOINT.good("cosigned", HEAD.note(*ours, *HEAD.cosigned()), "cosignatures are lines of others to who reads the checkpoint alone")


def _no_notes() -> Cases:
    good = HEAD.note()
    coded = HEAD.lines()[0].rstrip(b"\n").rpartition(b" ")[2]
    for name, raw, step, comment in (
        ("nothing", b"", 3, "no bytes"),
        ("long", good + UNKNOWN[:-1] + b"A" * (1 << 17) + b"\n", 1, "longer than 131072 bytes"),
        ("not_utf8", good.replace(b"valiza", b"valiz\xe9", 1), 2, "no UTF-8"),
        ("carriage_returns", good.replace(b"\n", b"\r\n"), 2, "carriage returns"),
        ("tab", good.replace(b" ", b"\t", 1), 2, "a tab for a space"),
        ("unsigned", HEAD.body(), 3, "no signatures"),
        ("no_empty_line", good.replace(b"\n\n", b"\n"), 3, "no empty line"),
        ("no_last_newline", good[:-1], 3, "the last line does not end"),
        ("empty_line_at_end", good + b"\n", 3, "an empty line behind the signatures"),
        ("line_of_another_form", HEAD.note(*HEAD.lines(), b"witness.example/w1 AQIDBAU=\n"), 4, "no dash"),
        ("hyphen", good.replace("—".encode(), b"-", 1), 4, "a hyphen for a dash"),
        ("two_spaces", good.replace("— ".encode(), "—  ".encode(), 1), 4, "two spaces"),
        ("name_with_plus", HEAD.note(*HEAD.lines(), UNKNOWN.replace(b"w1", b"w+1")), 4, "a plus in a name"),
        ("name_with_space", HEAD.note(*HEAD.lines(), UNKNOWN.replace(b"w1", "w\u00a01".encode())), 4, "a space of another kind in a name"),
        ("base64_unpadded", good.replace(coded, coded.rstrip(b"=")), 4, "base64 without padding"),
        ("base64_url", HEAD.note(*HEAD.lines(), UNKNOWN.replace(b"AQID", b"_-ID")), 4, "base64 of another alphabet"),
        ("base64_other_spelling", HEAD.note(*HEAD.lines(), "— w AQIDBAV=\n".encode()), 4, "bits behind the last byte"),
        ("no_signature", HEAD.note(*HEAD.lines(), "— w AQIDBA==\n".encode()), 4, "a key ID and nothing behind it"),
        ("seventeen_lines", HEAD.note(*HEAD.lines(), *[UNKNOWN] * 15), 4, "one line too many"),
    ):
        yield CHECKPOINT.bad(name, raw, f"malformed @ {step}", comment)


def _no_checkpoints() -> Cases:
    coded = base64.b64encode(HEAD.root).decode()
    for name, text, comment in (
        ("extension", f"{ORIGIN}\n13\n{coded}\nextension\n", "an extension line"),
        ("two_lines", f"{ORIGIN}\n13\n", "no root"),
        ("empty_text", "\n", "no lines"),
        ("origin_foreign", f"example.com/log\n13\n{coded}\n", "a name that is not of this form"),
        ("origin_office", f"{OFFICE}\n13\n{coded}\n", "the name of an office"),
        ("origin_capitals", f"{ORIGIN[:-1] + ORIGIN[-1].upper() if ORIGIN[-1].isalpha() else ORIGIN[:-1] + 'A'}\n13\n{coded}\n", "a capital digit"),
        ("origin_short", f"{ORIGIN[:-1]}\n13\n{coded}\n", "63 digits"),
        ("size_zero_before", f"{ORIGIN}\n013\n{coded}\n", "a leading zero"),
        ("size_sign", f"{ORIGIN}\n+13\n{coded}\n", "a sign"),
        ("size_empty", f"{ORIGIN}\n\n{coded}\n", "no size"),
        ("size_arabic", f"{ORIGIN}\n١٣\n{coded}\n", "digits that are not ASCII"),
        ("size_beyond", f"{ORIGIN}\n{MOST + 1}\n{coded}\n", "more than 2^62"),
        ("root_short", f"{ORIGIN}\n13\n{base64.b64encode(HEAD.root[:31]).decode()}\n", "31 bytes"),
        ("root_long", f"{ORIGIN}\n13\n{base64.b64encode(HEAD.root + b'x').decode()}\n", "33 bytes"),
        ("root_hex", f"{ORIGIN}\n13\n{HEAD.root.hex()}\n", "hexadecimal"),
        ("root_of_empty_log", f"{ORIGIN}\n0\n{coded}\n", "an empty log has the root of the empty tree"),
    ):
        head = replace(HEAD, text=text.encode())
        yield CHECKPOINT.bad(name, head.note(*head.lines()), "malformed @ 5", comment)


def _not_signed() -> Cases:
    ours, both = HEAD.lines(), {"log-key": ("kz-log.key", "kz-log-next.key")}
    theirs = Head(origin=OTHERS)
    yield CHECKPOINT.bad("other_log", theirs.note(*theirs.lines()), "not authentic @ 6", "another log, signed with this one's key")
    yield CHECKPOINT.bad("twice_ed25519", HEAD.note(*ours, ours[0]), "malformed @ 7", "two lines of one key")
    yield CHECKPOINT.bad("twice_mldsa", HEAD.note(*ours, HEAD.lines(at=AT + 1)[1]), "malformed @ 7", "two lines of one key, with two times")
    yield CHECKPOINT.bad("ed25519_alone", HEAD.note(ours[0]), "not authentic @ 7", "half a signature")
    yield CHECKPOINT.bad("mldsa_alone", HEAD.note(ours[1]), "not authentic @ 7", "half a signature")
    alone = {"log-key": ("kz-log-mixed.key",)}
    yield CHECKPOINT.bad("half_shared_alone", HEAD.note(*ours), "not authentic @ 7", "the one key that is known shares a half with it", **alone)
    yield CHECKPOINT.bad("halves_of_two_keys", HEAD.note(ours[0], HEAD.lines(NEXT)[1]), "not authentic @ 7", "two halves of two keys", **both)
    yield CHECKPOINT.bad(
        "second_key_halved", HEAD.note(*ours, HEAD.lines(NEXT)[0]), "not authentic @ 7", "half a signature beside a whole one", **both
    )
    yield CHECKPOINT.bad("other_key", HEAD.note(*HEAD.lines(NEXT)), "not authentic @ 7", "a key that is not known as this log's")
    yield CHECKPOINT.bad("other_name", HEAD.note(*HEAD.lines(name=OFFICE)), "not authentic @ 7", "the log's key under another name")
    yield CHECKPOINT.bad("only_others", HEAD.note(UNKNOWN), "not authentic @ 7", "no line of the log")
    later = at_size(12)
    for name, lines, comment in (
        ("ed25519_broken", _swap(ours, 0, _spoilt(ours[0], spoil.flip(70 - 64))), "a bit of the Ed25519 signature"),
        ("mldsa_broken", _swap(ours, 1, _spoilt(ours[1], spoil.flip(700))), "a bit of the ML-DSA-44 signature"),
        ("ed25519_long", _swap(ours, 0, _spoilt(ours[0], lambda data: data + b"\0")), "65 bytes"),
        ("mldsa_short", _swap(ours, 1, _spoilt(ours[1], lambda data: data[:-1])), "a byte too few"),
        ("mldsa_without_time", _swap(ours, 1, _spoilt(ours[1], lambda data: data[8:])), "no time before the signature"),
        ("time_changed", _swap(ours, 1, _spoilt(ours[1], spoil.flip(7))), "the time is signed"),
        ("ed25519_larger_s", _swap(ours, 0, _spoilt(ours[0], lambda data: spoil.larger_s(bytes(3309) + data)[3309:])), "S + L for S"),
        ("ed25519_of_another", _swap(ours, 0, later.lines()[0]), "the Ed25519 line of an earlier checkpoint"),
        ("mldsa_of_another", _swap(ours, 1, later.lines()[1]), "the ML-DSA-44 line of an earlier checkpoint"),
        (
            "ed25519_cosignature",
            _swap(ours, 0, line(ORIGIN, 1, LOG.ed25519, LOG.sign_ed25519(b"cosignature/v1\ntime 1\n" + HEAD.body()))),
            "as a cosigner signs",
        ),
    ):
        yield CHECKPOINT.bad(name, HEAD.note(*lines), "not authentic @ 8", comment)
    broken = [_spoilt(found, spoil.flip(100 % (len(found) // 2))) for found in HEAD.lines(NEXT)]
    yield CHECKPOINT.bad(
        "second_key_broken", HEAD.note(*ours, *broken), "not authentic @ 8", "a known key's signature fails beside one that holds", **both
    )
    yield CHECKPOINT.good("second_key_broken_unknown", HEAD.note(*ours, *broken), "the same for a reader who does not know the second key")
    two = HEAD.note(*ours, *HEAD.lines(NEXT, at=AT + 1))
    yield CHECKPOINT.bad("two_times", two, "malformed @ 8", "its old key and its new one signed at two times", **both)
    for name, when in (("time_zero", 0), ("time_beyond", 253402300800)):
        yield CHECKPOINT.bad(name, HEAD.note(*HEAD.lines(at=when)), "malformed @ 8", "a time at which nothing is signed")


def at_size(size: int) -> Head:
    return Head(size, root(LEAVES[:size]))


def _cosignatures() -> Cases:
    ours, theirs = HEAD.lines(), HEAD.cosigned()
    other = at_size(12)
    yield COSIGNED.good("good", HEAD.note(*ours, *theirs), "cosigned by the other party's office")
    yield COSIGNED.good("before_the_log", HEAD.note(*theirs, UNKNOWN, *ours), "in any order, and lines of others between")
    yield COSIGNED.good("earlier_than_the_log", HEAD.note(*ours, *HEAD.cosigned(at=AT - 60)), "clocks differ: times are not compared")
    yield COSIGNED.good("with_two_keys", HEAD.note(*ours, *HEAD.cosigned(), *HEAD.cosigned(NEXT)), "a second key of the office that is not known")
    for name, lines, outcome, comment in (
        ("none", [], "not authentic @ 9", "none, where one is required"),
        ("ed25519_alone", theirs[:1], "not authentic @ 9", "half a cosignature"),
        ("mldsa_alone", theirs[1:], "not authentic @ 9", "half a cosignature"),
        ("twice", [*theirs, HEAD.cosigned(at=AT + 7200)[0]], "malformed @ 9", "two lines of one key"),
        ("other_key", HEAD.cosigned(NEXT), "not authentic @ 9", "a key that is not known as the office's"),
        ("other_name", HEAD.cosigned(name="valiza/v1/office/BY/BY-KGB"), "not authentic @ 9", "the office's key under another name"),
        ("as_a_log", HEAD.lines(THEIRS, name=OFFICE)[:1] + theirs[1:], "not authentic @ 9", "a signature of type 1 for one of type 4"),
        ("ed25519_broken", _swap(theirs, 0, _spoilt(theirs[0], spoil.flip(20))), "not authentic @ 10", "a bit of the Ed25519 signature"),
        ("mldsa_broken", _swap(theirs, 1, _spoilt(theirs[1], spoil.flip(2000))), "not authentic @ 10", "a bit of the ML-DSA-44 signature"),
        ("time_changed", _swap(theirs, 0, _spoilt(theirs[0], spoil.flip(6))), "not authentic @ 10", "the time is signed"),
        ("ed25519_short", _swap(theirs, 0, _spoilt(theirs[0], lambda data: data[8:])), "not authentic @ 10", "no time before the signature"),
        ("two_times", _swap(theirs, 1, HEAD.cosigned(at=AT + 3601)[1]), "malformed @ 10", "two halves of two times"),
        ("time_zero", HEAD.cosigned(at=0), "malformed @ 10", "no time"),
        ("of_another", other.cosigned(), "not authentic @ 10", "moved from an earlier checkpoint"),
    ):
        yield COSIGNED.bad(name, HEAD.note(*ours, *lines), outcome, comment)


def proof(index: int | str, hashes: Sequence[bytes], note: bytes, *, magic: str = "c2sp.org/tlog-proof@v1", extra: str = "") -> bytes:
    return f"{magic}\n{extra}index {index}\n".encode() + _hashes(hashes) + note


def _hashes(hashes: Sequence[bytes]) -> bytes:
    return b"".join(base64.b64encode(item) + b"\n" for item in hashes) + b"\n"


def _proofs() -> Cases:
    note, hashes = HEAD.note(), path(8, LEAVES)
    for index in (0, 7, 8, 11, 12):
        comment = f"entry {index} of 13"
        yield PROOF.good(f"of_{index}", proof(index, path(index, LEAVES), note), comment, leaf=(LEAVES[index].hex(),))
    yield PROOF.good("alone", proof(0, [], signed(1)), "the only entry: no hashes", leaf=(LEAVES[0].hex(),))
    yield PROOF.good("cosigned", proof(8, hashes, HEAD.note(*HEAD.lines(), *HEAD.cosigned())), "in a checkpoint that was cosigned")
    for name, raw, outcome, comment in (
        ("nothing", b"", "malformed @ 2", "no bytes"),
        ("long", proof(8, hashes, note) + UNKNOWN[:-1] + b"A" * 135200 + b"\n", "malformed @ 1", "longer than 135168 bytes"),
        ("version", proof(8, hashes, note, magic="c2sp.org/tlog-proof@v2"), "malformed @ 2", "another version"),
        ("extra", proof(8, hashes, note, extra="extra YQ==\n"), "malformed @ 2", "extra data, which nobody signed"),
        ("index_zero_before", proof("08", hashes, note), "malformed @ 2", "a leading zero"),
        ("index_none", proof("", hashes, note), "malformed @ 2", "no index"),
        ("hash_short", proof(8, [*hashes[:-1], hashes[-1][:31]], note), "malformed @ 2", "a hash of 31 bytes"),
        ("hash_hex", proof(8, hashes, note).replace(base64.b64encode(hashes[0]), hashes[0].hex().encode()), "malformed @ 2", "hexadecimal"),
        ("hashes_64", proof(8, [bytes(32)] * 64, note), "malformed @ 2", "more hashes than any proof has"),
        ("no_empty_line", proof(8, hashes, note).replace(b"=\n\nvaliza", b"=\nvaliza"), "malformed @ 2", "the checkpoint follows at once"),
        ("no_checkpoint", proof(8, hashes, b""), "malformed @ 3", "no checkpoint"),
        ("checkpoint_unsigned", proof(8, hashes, HEAD.body()), "malformed @ 3", "a checkpoint without signatures"),
        ("index_beyond", proof(13, hashes, note), "malformed @ 3", "an index that the tree does not have"),
        (
            "checkpoint_broken",
            proof(8, hashes, HEAD.note(*_swap(HEAD.lines(), 0, _spoilt(HEAD.lines()[0], spoil.flip(3))))),
            "not authentic @ 4",
            "the checkpoint is not the log's",
        ),
        ("index_other", proof(9, hashes, note), "not authentic @ 5", "another index"),
        ("hash_missing", proof(8, hashes[:-1], note), "not authentic @ 5", "a hash too few"),
        ("hash_more", proof(8, [*hashes, bytes(32)], note), "not authentic @ 5", "a hash too many"),
        ("hash_changed", proof(8, [spoil.flip(9)(hashes[0]), *hashes[1:]], note), "not authentic @ 5", "a bit of a hash"),
        ("hashes_turned", proof(8, hashes[::-1], note), "not authentic @ 5", "from the root down"),
        ("other_size", proof(8, hashes, signed(12)), "not authentic @ 5", "the checkpoint of another size"),
    ):
        yield PROOF.bad(name, raw, outcome, comment)
    yield PROOF.bad("other_leaf", proof(8, hashes, note), "not authentic @ 5", "another entry", leaf=(LEAVES[7].hex(),))
    node = hashlib.sha256(b"\0" + LEAVES[8]).digest() + hashlib.sha256(b"\0" + LEAVES[9]).digest()
    yield PROOF.bad("node_as_leaf", proof(4, path(8, LEAVES)[1:], note), "not authentic @ 5", "a node of the tree for an entry", leaf=(node.hex(),))


def _request(old: int | str, hashes: Sequence[bytes], note: bytes) -> bytes:
    return f"old {old}\n".encode() + _hashes(hashes) + note


def _requests() -> Cases:
    note, hashes = HEAD.note(), growth(7, LEAVES)
    good = _request(7, hashes, note)
    yield REQUEST.good("good", good, "from 7 entries to 13")
    yield REQUEST.good("from_8", _request(8, growth(8, LEAVES), note), "from a whole tree of 8", last=("log-8.note",))
    yield REQUEST.good("first", _request(0, [], note), "the first checkpoint of a log that is cosigned here", last=())
    yield REQUEST.good("first_empty", _request(0, [], Head(0, EMPTY).note()), "of an empty log", last=())
    yield REQUEST.good("same", _request(13, [], HEAD.note(*HEAD.lines(at=AT + 900))), "nothing was appended since", last=("log-13.note",))
    for name, raw, outcome, comment in (
        ("nothing", b"", "malformed @ 2", "no bytes"),
        ("long", good + UNKNOWN[:-1] + b"A" * 135200 + b"\n", "malformed @ 1", "longer than 135168 bytes"),
        ("word", good.replace(b"old", b"new", 1), "malformed @ 2", "another word"),
        ("old_zero_before", _request("07", hashes, note), "malformed @ 2", "a leading zero"),
        ("hashes_64", _request(7, [bytes(32)] * 64, note), "malformed @ 2", "more hashes than any proof has"),
        ("hash_padding", good.replace(b"=\n", b"\n", 1), "malformed @ 2", "base64 without padding"),
        ("no_checkpoint", _request(7, hashes, b""), "malformed @ 3", "no checkpoint"),
        ("old_beyond", _request(14, hashes, note), "malformed @ 3", "from more entries than there are"),
        (
            "checkpoint_broken",
            _request(7, hashes, HEAD.note(*_swap(HEAD.lines(), 1, _spoilt(HEAD.lines()[1], spoil.flip(99))))),
            "not authentic @ 4",
            "the log did not sign it",
        ),
        ("from_elsewhere", _request(8, growth(8, LEAVES), note), "refused @ 6", "from another size than the one cosigned here"),
        ("from_nothing", _request(0, [], note), "refused @ 6", "as if nothing had been cosigned here"),
        ("proof_empty", _request(7, [], note), "not authentic @ 7", "no proof"),
        ("proof_changed", _request(7, [*hashes[:-1], spoil.flip(0)(hashes[-1])], note), "not authentic @ 7", "a bit of a hash"),
        ("proof_more", _request(7, [*hashes, bytes(32)], note), "not authentic @ 7", "a hash too many"),
        ("rewritten", _request(7, growth(7, REWRITTEN), signed(13, REWRITTEN)), "not authentic @ 7", "entry 4 was rewritten"),
    ):
        yield REQUEST.bad(name, raw, outcome, comment)
    for name, raw, last, comment in (
        ("split_view", _request(13, [], signed(13, REWRITTEN)), "log-13.note", "two roots for 13 entries"),
        ("split_view_later", _request(0, [], signed(13, REWRITTEN, AT + 999)), "log-13.note", "the same, from wherever, at a later time"),
        ("rollback", _request(7, [], signed(7, when=AT + 999)), "log-13.note", "at a later time it has 7 entries and not 13"),
        ("dated_back", _request(7, hashes, signed(13, when=AT - 999)), "log-7.note", "more entries at an earlier time"),
    ):
        yield REQUEST.bad(name, raw, "not authentic @ 5", comment, last=(last,))
    yield REQUEST.bad("older", _request(7, [], signed(7)), "refused @ 6", "an older checkpoint, as it was then", last=("log-13.note",))
    yield REQUEST.bad("first_with_proof", _request(0, [bytes(32)], note), "not authentic @ 7", "from nothing there is no proof", last=())


def cases() -> Cases:
    """All of them."""
    yield from _checkpoints()
    yield from _no_notes()
    yield from _no_checkpoints()
    yield from _not_signed()
    yield from _cosignatures()
    yield from _proofs()
    yield from _requests()
