"""An external signer for tests, written from specs/external-signer.md alone: it shares nothing with the product. It can be told to misbehave.

    python signer.py [--key NAME] [--log FILE] [MISCHIEF]

Its key is the same for the same name. What it is asked is appended to the log. Without a mischief it looks for one in SIGNER_MISCHIEF.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = 600.0
BEGINNING = b"CompositeAlgorithmSignatures2025COMPSIG-MLDSA65-Ed25519-SHA512"


def seed_of(name: str) -> bytes:
    """The Ed25519 seed of a key."""
    return hashlib.sha256(f"external {name}".encode()).digest()


def public_of(name: str) -> bytes:
    """The public key of a key."""
    return crypto_sign_seed_keypair(seed_of(name))[0]


def sign(name: str, message: bytes) -> bytes:
    """The signature by a key."""
    return crypto_sign(message, crypto_sign_seed_keypair(seed_of(name))[1])[:64]


def say(*words: str, end: str = "\n") -> None:
    """Write out a reply."""
    os.write(1, (" ".join(words) + end).encode())


def reply(line: bytes, key: str) -> None:
    """Reply a question as the specification says."""
    if line == b"hello valiza-signer/1\n":
        say("ready", "valiza-signer/1")
    elif re.fullmatch(rb"public [!-~]{1,255}\n", line):
        say("key", public_of(key).hex())
    elif found := re.fullmatch(rb"sign [!-~]{1,255} ((?:[0-9a-f]{2}){128,382})\n", line):
        message = bytes.fromhex(found[1].decode())
        begins = message.startswith(BEGINNING)
        if begins and len(message) == len(BEGINNING) + 1 + message[len(BEGINNING)] + 64:
            say("signature", sign(key, message).hex())
        else:
            say("error malformed", "that is no message of a statement")
    else:
        say("error malformed", "what?")


def in_order(*steps: Callable[[], object]) -> Callable[[], object]:
    """Several mischiefs, one after the other."""

    def all_of_them() -> None:
        for step in steps:
            step()

    return all_of_them


def hang() -> None:
    """Do nothing more."""
    time.sleep(FOREVER)


def crash() -> None:
    """End with a traceback."""
    message = "no card in the reader"
    raise RuntimeError(message)


def stubborn() -> None:
    """Stay when asked to go."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def flood(descriptor: int) -> None:
    """Write without end."""
    while True:
        os.write(descriptor, b"x" * 65536)


def spawn_and_leave() -> None:
    """End, and leave a child behind that holds the pipes until it is left alone."""
    if os.fork():
        os._exit(3)
    os.read(0, 1)
    os._exit(0)


# What is done in the place of a reply to `hello`, to `public`, and to `sign`.
AT_HELLO: dict[str, Callable[[], object]] = {
    "hangs-at-once": hang,
    "crashes-at-once": crash,
    "leaves-at-once": lambda: os._exit(0),
    "killed-at-once": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "other-version": lambda: say("ready", "valiza-signer/2"),
    "refuses-version": lambda: say("error malformed", "I speak another version"),
    "chatty": lambda: say("ready valiza-signer/1\nPIN?"),
    "says-nothing": lambda: say(""),
    "not-text": lambda: os.write(1, b"\xff\xfe\n"),
    "carriage-return": lambda: say("ready valiza-signer/1", end="\r\n"),
    "closes-output": in_order(lambda: os.close(1), hang),
}
AT_PUBLIC: dict[str, Callable[[], object]] = {
    "hangs-at-public": hang,
    "short-key": lambda: say("key", "00" * 31),
    "low-order-key": lambda: say("key", "01" + "00" * 31),
    "no-such-key": lambda: say("error no-key", "there is none"),
    "wrong-pin": lambda: say("error pin", "CKR_PIN_INCORRECT \u202e"),
    "not-there": lambda: say("error unavailable", "plug it in"),
}
AT_SIGN: dict[str, Callable[[], object]] = {
    "hangs-at-sign": hang,
    "crashes-at-sign": crash,
    "killed-at-sign": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leaves-a-child": spawn_and_leave,
    "says-no": lambda: say("error refused", "the person pressed cancel"),
    "reason-unknown": lambda: say("error tired", "tomorrow"),
    "reason-unsaid": lambda: say("error refused"),
    "key-for-signature": lambda: say("key", "00" * 32),
    "zeros": lambda: say("signature", "00" * 64),
    "capitals": lambda: say("signature", "AB" * 64),
    "half-a-line": in_order(lambda: say("signature", "ab" * 20, end=""), hang),
    "half-a-line-and-leaves": in_order(lambda: say("signature", "ab" * 20, end=""), lambda: os._exit(0)),
    "long-line": in_order(lambda: say("signature", "ab" * 5000), hang),
    "two-replies": lambda: say("signature", "ab" * 64 + "\nsignature", "ab" * 64),
    "floods-output": lambda: flood(1),
    "floods-errors": lambda: flood(2),
}


def signs(key: str, message: bytes) -> None:
    """Reply with a signature."""
    say("signature", sign(key, message).hex())


def complain(line: bytes, key: str) -> None:
    """Reply, after a long complaint."""
    os.write(2, b"Traceback (most recent call last):\n  warning\n" * 5000)
    reply(line, key)


def say_more(line: bytes, key: str) -> None:
    """Reply, and then something that nobody asked for."""
    reply(line, key)
    say("signature", "ab" * 64)


def sign_once(line: bytes, key: str) -> None:
    """Reply, and be gone."""
    reply(line, key)
    os._exit(0)


# The same, for what depends on the question and the key.
WITH_KEY: dict[str, tuple[bytes, Callable[[bytes, str], object]]] = {
    "complains": (b"public", complain),
    "says-more-later": (b"public", say_more),
    "signs-once": (b"sign", sign_once),
    "signs-with-another-key": (b"sign", lambda line, _: signs("another", message_of(line))),
    "signs-something-else": (b"sign", lambda line, key: signs(key, message_of(line)[:-1])),
}


def message_of(line: bytes) -> bytes:
    """What a question asks to sign."""
    return bytes.fromhex(line.split()[2].decode())


def act(mischief: str, line: bytes, key: str) -> None:
    """Reply a question, or do the mischief in its place."""
    verb = line.split()[0]
    plain = {b"hello": AT_HELLO, b"public": AT_PUBLIC, b"sign": AT_SIGN}[verb].get(mischief)
    wanted, with_key = WITH_KEY.get(mischief, (b"", reply))
    if plain is not None:
        plain()
    elif verb == wanted:
        with_key(line, key)
    else:
        reply(line, key)


def main() -> None:
    """Reply until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", default="one")
    parser.add_argument("--log", type=Path)
    parser.add_argument("mischief", nargs="?", default=os.environ.get("SIGNER_MISCHIEF", ""))
    given = parser.parse_args()
    if given.mischief not in {"", "early", "stays", "stubborn", *AT_HELLO, *AT_PUBLIC, *AT_SIGN, *WITH_KEY}:
        parser.error(f"no such mischief: {given.mischief}")
    if given.mischief == "stubborn":
        stubborn()
    if given.mischief == "early":
        say("ready valiza-signer/1")
        time.sleep(0.5)
    for line in sys.stdin.buffer:
        if given.log is not None:
            with given.log.open("ab") as log:
                log.write(line)
        act(given.mischief, line, given.key)
    if given.mischief in {"stays", "stubborn"}:
        hang()


if __name__ == "__main__":
    main()
