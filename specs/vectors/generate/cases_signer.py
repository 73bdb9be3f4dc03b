"""Vectors of external signers: what they are asked, and what they reply (external-signer.md)."""

from __future__ import annotations

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

import spoil
import wire
from cases import SIGNER_SEED, Cases, Topic

QUESTION = Topic("signer-question", "signer-question", {"seed": ("signer.seed",)})
REPLY = Topic("signer-reply", "signer-reply", {})
PUBLIC, PRIVATE = crypto_sign_seed_keypair(SIGNER_SEED)
REFERENCE = "pkcs11:token=kz-mfa;object=aigul-seal"
MESSAGE = wire.composite_message("valiza/v1/dispatch", b"what the dispatch says")
HELLO, ASK, SIGN = "hello valiza-signer/1", f"public {REFERENCE}", f"sign {REFERENCE} {MESSAGE.hex()}"


def _signed(message: bytes) -> bytes:
    return crypto_sign(message, PRIVATE)[:64]


def _questions() -> Cases:
    longest = wire.composite_message("x" * 255, b"")
    for name, line, reply, comment in (
        ("hello", HELLO, "ready valiza-signer/1", "the greeting"),
        ("public", ASK, f"key {PUBLIC.hex()}", "the public key"),
        ("sign", SIGN, f"signature {_signed(MESSAGE).hex()}", "a signature; Ed25519 is deterministic, and a signer that is not gives another one"),
        ("reference_one", "public !", f"key {PUBLIC.hex()}", "the shortest reference"),
        ("longest", f"sign {'~' * 255} {longest.hex()}", f"signature {_signed(longest).hex()}", "the longest question, 1026 bytes"),
        (
            "shortest_type",
            f"sign 7 {wire.composite_message('x', b'').hex()}",
            f"signature {_signed(wire.composite_message('x', b'')).hex()}",
            "a type of one byte, and nothing said",
        ),
    ):
        yield QUESTION.good(name, f"{line}\n".encode(), comment, reply=(reply,))


def _bad_lines() -> Cases:
    for name, line, comment in (
        ("empty", b"", "nothing"),
        ("blank", b"\n", "an empty line"),
        ("no_line_feed", HELLO.encode(), "no line feed"),
        ("carriage_return", HELLO.encode() + b"\r\n", "a carriage return before the line feed"),
        ("two_lines", HELLO.encode() + b"\n" + ASK.encode() + b"\n", "two questions are two lines, not one"),
        ("version_other", b"hello valiza-signer/2\n", "another version"),
        ("version_longer", b"hello valiza-signer/11\n", "another version that begins like this one"),
        ("verb_capital", b"Hello valiza-signer/1\n", "a capital letter"),
        ("verb_unknown", f"forget {REFERENCE}\n".encode(), "a verb that nobody knows"),
        ("reply", b"ready valiza-signer/1\n", "a reply"),
        ("two_spaces", f"public  {REFERENCE}\n".encode(), "two spaces"),
        ("space_behind", f"public {REFERENCE} \n".encode(), "a space at the end"),
        ("reference_none", b"public \n", "no reference"),
        ("reference_long", f"public {'a' * 256}\n".encode(), "a reference of 256 characters"),
        ("reference_space", b"public aigul seal\n", "a reference with a space"),
        ("reference_not_ascii", "public Айгүл\n".encode(), "a reference that is not ASCII"),
        ("reference_nul", b"public a\0b\n", "a reference with a zero byte"),
        ("message_none", f"sign {REFERENCE}\n".encode(), "nothing to sign"),
        ("digits_capital", f"sign {REFERENCE} {MESSAGE.hex().upper()}\n".encode(), "capital digits"),
        ("digits_odd", f"sign {REFERENCE} {MESSAGE.hex()[:-1]}\n".encode(), "half a byte is missing"),
        ("not_utf8", b"public \xff\n", "no UTF-8"),
    ):
        yield QUESTION.bad(name, line, "malformed @ 2", comment)


def _bad_messages() -> Cases:
    context = b"valiza/v1/dispatch"
    for name, message, comment in (
        ("message_free", b"Transfer 1000000 to the bearer of this note, and ask nothing." * 3, "something with a meaning of its own"),
        ("message_prefix", spoil.flip(0)(MESSAGE), "a bit of the prefix"),
        ("message_label", spoil.flip(40)(MESSAGE), "a bit of the label"),
        ("message_mldsa", MESSAGE[32:], "without the prefix"),
        ("message_short", MESSAGE[:-1], "a digest of 63 bytes"),
        ("message_long", MESSAGE + b"\0", "a byte behind the digest"),
        ("message_type_none", MESSAGE[:62] + b"\0" + MESSAGE[-64:], "no type"),
        ("message_type_length", spoil.flip(62)(MESSAGE), "a length of the type that is not its length"),
        ("message_type_control", MESSAGE[:62] + bytes([len(context)]) + b"\n" + context[1:] + MESSAGE[-64:], "a type with a line feed"),
    ):
        yield QUESTION.bad(name, f"sign {REFERENCE} {message.hex()}\n".encode(), "malformed @ 6", comment)
    yield QUESTION.bad("long", f"sign {REFERENCE} {(MESSAGE + bytes(1000)).hex()}\n".encode(), "malformed @ 2", "longer than any question")


def _replies() -> Cases:
    head = {"ed25519": (PUBLIC.hex(),)}
    signature = _signed(MESSAGE)
    for name, question, line, comment in (
        ("ready", HELLO, "ready valiza-signer/1", "the greeting"),
        ("key", ASK, f"key {PUBLIC.hex()}", "the key that is meant"),
        ("signature", SIGN, f"signature {signature.hex()}", "a signature that verifies"),
    ):
        yield REPLY.good(name, f"{line}\n".encode(), comment, question=(question,), **head)
    for name, question, line, outcome, comment in (
        ("key_other", ASK, f"key {crypto_sign_seed_keypair(bytes(32))[0].hex()}", "no key @ 3", "another key"),
        ("signature_flipped", SIGN, f"signature {spoil.flip(5)(signature).hex()}", "not authentic @ 4", "a bit of R"),
        ("signature_larger_s", SIGN, f"signature {spoil.larger_s(bytes(3309) + signature)[3309:].hex()}", "not authentic @ 4", "S + L for S"),
        ("signature_other_message", SIGN, f"signature {_signed(MESSAGE + b'x').hex()}", "not authentic @ 4", "over something else"),
        ("signature_zeros", SIGN, f"signature {bytes(64).hex()}", "not authentic @ 4", "zeros"),
        ("error_no_key", ASK, "error no-key there is no object of that label", "no key @ 3", "no such key"),
        ("error_pin", ASK, "error pin кодың қате, 2 әрекет қалды", "no key @ 3", "a wrong PIN, said in Kazakh"),
        ("error_refused", SIGN, "error refused the button was not pressed", "refused @ 4", "a person did not agree"),
        ("error_unavailable", HELLO, "error unavailable the reader is empty", "unavailable @ 2", "the device is not there"),
        ("error_malformed", HELLO, "error malformed what?", "unavailable @ 2", "the signer does not know the question"),
        ("error_longest", SIGN, f"error refused {'🔒' * 200}", "refused @ 4", "200 characters in 800 bytes"),
    ):
        yield REPLY.bad(name, f"{line}\n".encode(), outcome, comment, question=(question,), **head)


def _bad_replies() -> Cases:
    head = {"ed25519": (PUBLIC.hex(),)}
    for name, question, line, comment in (
        ("empty", HELLO, b"", "nothing"),
        ("blank", HELLO, b"\n", "an empty line"),
        ("no_line_feed", HELLO, b"ready valiza-signer/1", "no line feed"),
        ("carriage_return", HELLO, b"ready valiza-signer/1\r\n", "a carriage return before the line feed"),
        ("two_lines", HELLO, b"ready valiza-signer/1\nPIN?\n", "a second line"),
        ("version_other", HELLO, b"ready valiza-signer/2\n", "another version"),
        ("echo_hello", HELLO, HELLO.encode() + b"\n", "the question itself"),
        ("echo_public", ASK, ASK.encode() + b"\n", "the question itself"),
        ("echo_sign", SIGN, SIGN.encode() + b"\n", "the question itself"),
        ("key_for_ready", HELLO, f"key {PUBLIC.hex()}\n".encode(), "the reply to another question"),
        ("key_for_signature", SIGN, f"key {PUBLIC.hex()}\n".encode(), "the reply to another question"),
        ("signature_for_key", ASK, f"signature {_signed(MESSAGE).hex()}\n".encode(), "the reply to another question"),
        ("key_short", ASK, f"key {PUBLIC.hex()[:-2]}\n".encode(), "31 bytes"),
        ("key_capital", ASK, f"key {PUBLIC.hex().upper()}\n".encode(), "capital digits"),
        ("key_der", ASK, f"key 0420{PUBLIC.hex()}\n".encode(), "the form that PKCS#11 has"),
        ("signature_long", SIGN, f"signature {_signed(MESSAGE).hex()}00\n".encode(), "65 bytes"),
        ("signature_words", SIGN, f"signature {_signed(MESSAGE)[:32].hex()} {_signed(MESSAGE)[32:].hex()}\n".encode(), "R and S apart"),
        ("error_reason_unknown", SIGN, b"error tired tomorrow\n", "a reason that nobody knows"),
        ("error_unsaid", SIGN, b"error refused\n", "no words"),
        ("error_said_empty", SIGN, b"error refused \n", "no words, and a space"),
        ("error_said_long", SIGN, f"error refused {'a' * 201}\n".encode(), "201 characters"),
        ("error_said_control", SIGN, b"error refused \x1b[2J\n", "words that steer a terminal"),
        ("error_said_c1", SIGN, "error refused \x9b2J\n".encode(), "the same in one character"),
        ("error_said_not_utf8", SIGN, b"error refused \xff\n", "no UTF-8"),
        ("long", SIGN, b"signature " + b"ab" * 520 + b"\n", "longer than any reply"),
    ):
        yield REPLY.bad(name, line, "malformed", comment, question=(question,), **head)


def cases() -> Cases:
    """All of them."""
    yield from _questions()
    yield from _bad_lines()
    yield from _bad_messages()
    yield from _replies()
    yield from _bad_replies()
