"""External signers, their questions and replies (external-signer.md), and key files (credential.md, Key files)."""

from __future__ import annotations

import re
import unicodedata

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError
from nacl.pwhash import argon2id

import decode as d
import wire
from outcome import Malformed, NoKey, NotAuthentic, Refused, Unavailable, step

LABEL = "valiza/v1/key-file"
KEY_FILE_MOST = 8192
SEED_LENGTHS = {wire.SIGNING_KIND: 64, wire.OPENING_KIND: 32, wire.LOG_KIND: 64, "MLDSA65-Ed25519-external": 32}
REFERENCE = re.compile(r"[!-~]{1,255}")
HEX = re.compile(r"([0-9a-f]{2})*")
REASONS = {"no-key": NoKey, "pin": NoKey, "refused": Refused, "unavailable": Unavailable, "malformed": Unavailable}
STEPS = {"hello": 2, "public": 3, "sign": 4}
FITTING = {"hello": "ready", "public": "key", "sign": "signature"}


def _words(line: bytes, most: int) -> tuple[str, str]:
    """The verb of a line, and all behind the first space."""
    d.need(len(line) <= most, "too long")
    d.need(line.endswith(b"\n") and line.count(b"\n") == 1, "not one line")
    try:
        text = line[:-1].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    verb, space, rest = text.partition(" ")
    d.need(bool(space) and bool(rest), "one word")
    return verb, rest


def _hex(text: str, least: int, most: int) -> bytes:
    d.need(HEX.fullmatch(text) is not None and least <= len(text) // 2 <= most, "not that many bytes in small hexadecimal digits")
    return bytes.fromhex(text)


def reply_to(line: bytes, seed: bytes) -> str:
    """Replying: what a signer that keeps this one key says to a question."""
    with step(2):
        verb, rest = _words(line, 1026)
        if verb == "hello":
            d.need(rest == "valiza-signer/1", "another version")
            return "ready valiza-signer/1"
        reference, space, message = rest.partition(" ")
        d.need(verb in STEPS and REFERENCE.fullmatch(reference) is not None and bool(space) == (verb == "sign"), "no question")
        public, private = crypto_sign_seed_keypair(seed)
        if verb == "public":
            return f"key {public.hex()}"
        d.need(HEX.fullmatch(message) is not None and bool(message), "not hexadecimal digits")
    with step(6):
        composed = bytes.fromhex(message)
        beginning = wire.COMPOSITE_PREFIX + wire.COMPOSITE_LABEL
        d.need(composed.startswith(beginning) and len(composed) > len(beginning), "it does not begin as everything does that is signed")
        kind = composed[len(beginning) + 1 : -64]
        d.need(0 < len(kind) == composed[len(beginning)] and all(0x21 <= byte <= 0x7E for byte in kind), "no type")
        d.need(len(composed) == len(beginning) + 1 + len(kind) + 64, "no digest")
    return f"signature {crypto_sign(composed, private)[:64].hex()}"


def check_reply(line: bytes, question: str, public: bytes) -> None:
    """Asking, 2 to 4: what Valiza makes of a reply."""
    verb, rest = _words(line, 1024)
    asked, _, behind = question.partition(" ")
    if verb == "error":
        reason, space, said = rest.partition(" ")
        d.need(reason in REASONS and bool(space) and 1 <= len(said) <= 200, "no reason, or no words")
        d.need(all(unicodedata.category(character) != "Cc" for character in said), "control characters")
        with step(STEPS[asked]):
            raise REASONS[reason](said)
    d.need(verb == FITTING[asked], "another reply than to this question")
    if verb == "ready":
        d.need(rest == "valiza-signer/1", "another version")
        return
    value = _hex(rest, 32, 32) if verb == "key" else _hex(rest, 64, 64)
    with step(STEPS[asked]):
        if verb == "key" and value != public:
            raise NoKey("another key")
        if verb == "signature":
            try:
                crypto_sign_open(value + bytes.fromhex(behind.split(" ")[1]), public)
            except BadSignatureError as error:
                raise NotAuthentic("the signature does not verify") from error


def read_key_file(raw: bytes, passphrase: str) -> bytes:
    """The seed or seeds in a key file."""
    outer = d.fields(d.decode(raw, KEY_FILE_MOST), 3)
    d.need(outer[0] == LABEL, "another label")
    header = d.binary(outer[1])
    secret = d.binary(outer[2])
    items = d.array(d.decode(header), 4, 5)
    d.need(items[0] == LABEL, "another label in the header")
    kind = d.one_of(items[1], list(SEED_LENGTHS))
    public = d.binary(items[2])
    d.need((len(items) == 5) == (kind == "MLDSA65-Ed25519-external"), "a signer with another kind, or none")
    if len(items) == 5:
        _check_signer(items[4])
    if items[3] is not None:
        secret = _unlocked(secret, header, items[3], passphrase)
    d.need(len(secret) == SEED_LENGTHS[kind], "a seed of another length")
    if len(items) == 4:
        d.need(public == wire.public_of(kind, secret), "the public key of another")
    else:
        d.signing_key([wire.SIGNING_KIND, public])
        d.need(public[:1952] == wire.composite_public(secret + bytes(32))[:1952], "the ML-DSA half of another")
    return secret


def _check_signer(value: d.Value) -> None:
    reference, words = d.fields(value, 2)
    d.matching(reference, REFERENCE)
    command = [d.binary(word) for word in d.array(words, 1, 32)]
    d.need(sum(map(len, command)) <= 4096 and all(0 not in word for word in command), "words that are too long, or have zero bytes")
    d.need(command[0].startswith(b"/"), "no absolute path")


def _unlocked(secret: bytes, header: bytes, kdf: d.Value, passphrase: str) -> bytes:
    name, passes, memory, salt = d.fields(kdf, 4)
    d.need(name == "argon2id13", "another derivation")
    cost = d.integer(passes, 1, 16), d.integer(memory, 8192, 1048576) * 1024
    key = argon2id.kdf(32, unicodedata.normalize("NFC", passphrase).encode(), d.binary(salt, 16), *cost)
    decryptor = Cobblestone256Decryptor(key, header)
    try:
        return decryptor.update(secret) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise NoKey("the passphrase is wrong") from error
