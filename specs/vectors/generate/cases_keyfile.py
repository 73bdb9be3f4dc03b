"""Vectors of key files (credential.md, Key files): the four kinds, with a passphrase and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nacl.bindings import crypto_pwhash_alg

import spoil
import wire
from cases import SIGNER_SEED, Cases, Topic

TOPIC = Topic("key-file", "key-file", {})
LABEL = "valiza/v1/key-file"
PASSPHRASE = "Құпия сөз 7"  # noqa: S105 - of test keys
PASSES, MEMORY = 1, 8192  # the least that a reader takes: these are read often
SIGNER: Sequence[wire.Item] = [
    "pkcs11:token=kz-mfa;object=aigul-seal",
    [b"/usr/bin/valiza-pkcs11-signer", b"--module", b"/usr/lib/softhsm/libsofthsm2.so"],
]


@dataclass(frozen=True)
class KeyFile:
    """A key file, and how it is spoilt: *more* stands behind the derivation in the header."""

    kind: wire.Item
    public: wire.Item
    secret: bytes
    more: Sequence[wire.Item] = ()
    passphrase: str | None = None
    kdf: wire.Item = None
    label: str = LABEL
    altered: bytes | None = None  # the header that stands in the file, in place of the one that is authenticated

    def raw(self) -> bytes:
        salt = wire.draw("key-file/salt", 16)
        kdf = self.kdf
        if self.passphrase is not None and kdf is None:
            kdf = ["argon2id13", PASSES, MEMORY, salt]
        header = wire.encode([self.label, self.kind, self.public, kdf, *self.more])
        secret = self.secret
        if self.passphrase is not None:
            key = crypto_pwhash_alg(32, self.passphrase.encode(), salt, PASSES, MEMORY * 1024, 2)
            secret = wire.cobblestone(key, header, secret, wire.draw("key-file/cobblestone", 24))
        return wire.encode([LABEL, self.altered or header, secret])


SEEDS = wire.draw("key-file/signing", 64)
SIGNING = KeyFile(wire.SIGNING_KIND, wire.composite_public(SEEDS), SEEDS)
OPENING = KeyFile(wire.OPENING_KIND, wire.xwing_public(SEEDS[:32]), SEEDS[:32])
LOG = KeyFile(wire.LOG_KIND, wire.log_public(SEEDS), SEEDS)
HALVES = wire.composite_public(SEEDS[:32] + SIGNER_SEED)
EXTERNAL = KeyFile("MLDSA65-Ed25519-external", HALVES, SEEDS[:32], (SIGNER,))
LOCKED = replace(EXTERNAL, passphrase=PASSPHRASE)


def _good() -> Cases:
    for name, made, comment in (
        ("signing", SIGNING, "a signing key"),
        ("opening", OPENING, "an opening key"),
        ("log", LOG, "a register's key"),
        ("external", EXTERNAL, "a signing key whose Ed25519 half an external signer keeps"),
    ):
        yield TOPIC.good(name, made.raw(), f"{comment}, without a passphrase", secret=(made.secret.hex(),))
        head = {"passphrase": (PASSPHRASE,), "secret": (made.secret.hex(),)}
        yield TOPIC.good(f"{name}_locked", replace(made, passphrase=PASSPHRASE).raw(), f"{comment}, with a passphrase", **head)
    longest: wire.Item = ["~" * 255, [b"/" + b"a" * 4065, *[b"x"] * 30]]
    odd: wire.Item = ["7", [b"/signer", b"", b"\xff\x01", *[b""] * 29]]
    for name, signer, comment in (
        ("signer_longest", longest, "31 words of 4096 bytes"),
        ("signer_bytes", odd, "32 words, empty ones and one that is no text"),
    ):
        yield TOPIC.good(name, replace(EXTERNAL, more=(signer,)).raw(), comment, secret=(EXTERNAL.secret.hex(),))


def _no_key() -> Cases:
    head = {"passphrase": (PASSPHRASE,)}
    yield TOPIC.bad("passphrase_other", LOCKED.raw(), "no key", "another passphrase", passphrase=("құпия сөз 7",))
    yield TOPIC.bad("passphrase_empty", LOCKED.raw(), "no key", "no passphrase, where there is one", passphrase=("",))
    kdf: wire.Item = ["argon2id13", PASSES, MEMORY, wire.draw("key-file/salt", 16)]
    other = wire.encode([LABEL, EXTERNAL.kind, EXTERNAL.public, kdf, [SIGNER[0], [b"/tmp/evil"]]])
    yield TOPIC.bad("signer_exchanged", replace(LOCKED, altered=other).raw(), "no key", "another command than the one that was locked", **head)
    other = wire.encode([LABEL, EXTERNAL.kind, EXTERNAL.public, kdf, ["other", SIGNER[1]]])
    yield TOPIC.bad("reference_exchanged", replace(LOCKED, altered=other).raw(), "no key", "another reference than the one that was locked", **head)
    yield TOPIC.bad("secret_flipped", spoil.flip(-1)(LOCKED.raw()), "no key", "a bit of the tag", **head)


def _malformed() -> Cases:
    point = HALVES[:1952] + spoil.IDENTITY
    for name, made, comment in (
        ("label_other", replace(SIGNING, label="valiza/v1/stream"), "another label in the header"),
        ("kind_unknown", replace(SIGNING, kind="Ed25519"), "a kind that nobody knows"),
        ("kind_of_other", replace(SIGNING, kind=wire.OPENING_KIND), "a signing key called an opening key"),
        ("kind_log", replace(SIGNING, kind=wire.LOG_KIND), "a signing key called a register's key"),
        ("log_as_signing", replace(LOG, kind=wire.SIGNING_KIND), "a register's key called a signing key"),
        ("log_external", replace(LOG, more=(SIGNER,)), "a signer beside a register's key"),
        (
            "log_public_of_other",
            replace(LOG, public=wire.log_public(SEEDS)[:-32] + HALVES[-32:]),
            "a register's key with the Ed25519 half of another",
        ),
        ("external_as_whole", replace(EXTERNAL, kind=wire.SIGNING_KIND), "a signer beside a key that is whole"),
        ("whole_as_external", replace(SIGNING, kind=EXTERNAL.kind), "an external half, and no signer"),
        ("public_of_other", replace(SIGNING, public=HALVES), "the public key of another"),
        ("seed_of_other", replace(EXTERNAL, secret=SEEDS[32:]), "the ML-DSA half of another"),
        ("seeds_both", replace(EXTERNAL, secret=SEEDS[:32] + SIGNER_SEED), "both seeds, though one is elsewhere"),
        ("half_low_order", replace(EXTERNAL, public=point), "an Ed25519 half of low order"),
        ("half_missing", replace(EXTERNAL, public=HALVES[:1952]), "no Ed25519 half"),
        ("kdf_unknown", replace(SIGNING, kdf=["scrypt", PASSES, MEMORY, bytes(16)]), "another derivation"),
        ("kdf_passes", replace(SIGNING, kdf=["argon2id13", 17, MEMORY, bytes(16)]), "more passes than a reader makes"),
        ("kdf_memory", replace(SIGNING, kdf=["argon2id13", PASSES, 1 << 21, bytes(16)]), "more memory than a reader spends"),
        ("kdf_salt", replace(SIGNING, kdf=["argon2id13", PASSES, MEMORY, bytes(15)]), "a short salt"),
    ):
        yield TOPIC.bad(name, made.raw(), "malformed", comment, passphrase=(PASSPHRASE,))


def _malformed_signers() -> Cases:
    reference, words = SIGNER
    for name, signer, comment in (
        ("signer_nil", None, "no signer"),
        ("signer_three", [reference, words, None], "three items"),
        ("reference_empty", ["", words], "an empty reference"),
        ("reference_space", ["aigul seal", words], "a reference with a space"),
        ("reference_long", ["a" * 256, words], "a reference of 256 characters"),
        ("reference_bin", [b"7", words], "a reference that is no text"),
        ("words_none", [reference, []], "no command"),
        ("words_many", [reference, [b"/x"] * 33], "33 words"),
        ("words_long", [reference, [b"/" + b"x" * 4096]], "4097 bytes"),
        ("words_text", [reference, ["/x"]], "a word that is text"),
        ("words_zero", [reference, [b"/x", b"a\0b"]], "a zero byte in a word"),
        ("program_relative", [reference, [b"signer"]], "a program that would be looked for"),
        ("program_empty", [reference, [b"", b"/x"]], "a program without a name"),
    ):
        yield TOPIC.bad(name, replace(EXTERNAL, more=(signer,)).raw(), "malformed", comment)
    yield TOPIC.bad("signers_two", replace(EXTERNAL, more=(SIGNER, SIGNER)).raw(), "malformed", "two signers")
    yield TOPIC.bad("trailing", EXTERNAL.raw() + b"\0", "malformed", "a byte behind the file")
    yield TOPIC.bad("long", replace(EXTERNAL, public=bytes(9000)).raw(), "malformed", "longer than 8192 bytes")


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _no_key()
    yield from _malformed()
    yield from _malformed_signers()
