"""Signing keys whose Ed25519 half another program keeps: they sign as any other, and what is wrong never leaves them."""

from __future__ import annotations

import os
import re
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.keys import counting, signing_key
from tests.support.signer import public_of
from tests.support.signers import command, external_key, signer

from valiza.keys import labels
from valiza.keys.conversation import read_question
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey, find_signer
from valiza.keys.signing import SigningKey, VerifyKey, composite_type
from valiza.keys.statement import SIGNATURE_BYTES, SignerHeader, sign_statement

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT: Final = labels.TERMINATION.encode()


def test_what_it_signs_verifies_as_any_signature() -> None:
    with closing(external_key()) as key:
        signature = key.sign(b"message", CONTEXT)
        assert len(signature) == SIGNATURE_BYTES
        VerifyKey(key.public).verify(signature, b"message", CONTEXT)
        assert key.sign(b"message", CONTEXT) != signature, "the ML-DSA half is randomised"
        for message, context in ((b"other", CONTEXT), (b"message", b"other")):
            with pytest.raises(NotAuthentic):
                VerifyKey(key.public).verify(signature, message, context)


def test_it_signs_statements() -> None:
    with closing(external_key()) as key:
        header = SignerHeader(role="root", signer_digest=bytes(32), key_digest=key.key_digest)
        statement = sign_statement(labels.TERMINATION, b"\xc0", [(header, key)])
        statement.verify(0, VerifyKey(key.public))
        with pytest.raises(NotAuthentic):
            statement.verify(0, VerifyKey(signing_key("other").public))


def test_its_public_key_is_that_of_both_halves() -> None:
    key = external_key()
    assert key.public[-32:] == public_of("one")
    assert key.public[:-32] == SigningKey(key.seed + bytes(32)).public[:-32]
    assert key.key_digest == VerifyKey(key.public).key_digest


def test_the_program_sees_the_type_and_a_digest_of_what_is_signed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(external_key("--log", log)) as key:
        key.sign(b"very secret", CONTEXT)
    *_, asked = log.read_bytes().splitlines(keepends=True)
    assert composite_type(read_question(asked).message) == labels.TERMINATION
    assert b"very secret".hex().encode() not in log.read_bytes()


def test_it_begins_before_there_is_anything_to_sign(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(external_key("--log", log)) as key:
        key.begin()
        key.begin()
        assert log.read_bytes() == b"hello valiza-signer/1\npublic any\n"
        key.sign(b"message", CONTEXT)
    assert len(log.read_bytes().splitlines()) == 3


# -- what is wrong ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mischief", ["signs-with-another-key", "signs-something-else", "zeros"])
def test_a_wrong_signature_is_not_authentic_and_never_handed_out(mischief: str) -> None:
    with closing(external_key(mischief)) as key:
        with pytest.raises(NotAuthentic, match="gave a signature that does not verify"):
            key.sign(b"message", CONTEXT)
        with pytest.raises(NotAuthentic):
            key.sign(b"message", CONTEXT)


def test_a_reply_that_comes_before_its_question_is_none() -> None:
    """It may be read as the answer to the next request; then it does not verify."""
    with closing(external_key("says-more-later")) as key, pytest.raises((NotAuthentic, Unavailable)):
        key.sign(b"message", CONTEXT)


def test_another_key_in_the_program_is_no_key() -> None:
    for said, kept in (("one", "two"), ("two", "one")):
        other = signer("--key", kept)
        with closing(ExternalSigningKey(bytes(32), public_of(said), other)) as key:
            for _ in range(2):
                with pytest.raises(NoKey, match=f"the external signer {re.escape(repr(sys.executable))} keeps another key under 'any'"):
                    key.begin()
            with pytest.raises(NoKey):
                key.sign(b"message", CONTEXT)


@pytest.mark.parametrize(("mischief", "family"), [("says-no", Refused), ("wrong-pin", NoKey), ("crashes-at-sign", Unavailable)])
def test_errors_of_the_program(mischief: str, family: type[ValizaError]) -> None:
    with closing(external_key(mischief)) as key, pytest.raises(family):
        key.sign(b"message", CONTEXT)


def test_half_of_a_key_that_cannot_be_one() -> None:
    for public in (bytes(31), bytes(33), b"\x01" + bytes(31), b"\xff" * 32):
        with pytest.raises(Malformed):
            ExternalSigningKey(bytes(32), public, signer())
    for seed in (b"", bytes(31), bytes(64)):
        with pytest.raises(Malformed):
            ExternalSigningKey(seed, public_of("one"), signer())


# -- enrolling -------------------------------------------------------------------------------------------------------------


def test_enrolled_it_is_ready_and_the_program_runs_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(ExternalSigningKey.enrol(signer("--log", log), counting())) as key:
        assert key.seed == counting()(32)
        assert key.public[-32:] == public_of("one")
        VerifyKey(key.public).verify(key.sign(b"message", CONTEXT), b"message", CONTEXT)
    hello, public, trial, sign = log.read_bytes().splitlines(keepends=True)
    assert (hello, public) == (b"hello valiza-signer/1\n", b"public any\n")
    assert [composite_type(read_question(line).message) for line in (trial, sign)] == [labels.SIGNER_TRIAL, labels.TERMINATION]


@pytest.mark.parametrize(
    ("mischief", "family"),
    [
        ("signs-with-another-key", NotAuthentic),
        ("low-order-key", Malformed),
        ("no-such-key", NoKey),
        ("says-no", Refused),
        ("crashes-at-sign", Unavailable),
        ("crashes-at-once", Unavailable),
    ],
)
def test_what_cannot_sign_is_not_enrolled(mischief: str, family: type[ValizaError]) -> None:
    with pytest.raises(family):
        ExternalSigningKey.enrol(signer(mischief), counting())


def test_a_trial_is_another_one_each_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(external_key("--log", log)) as key:
        random = counting()
        key.check(random)
        key.check(random)
    *_, first, second = log.read_bytes().splitlines()
    assert first != second


def test_a_trial_is_of_32_bytes_that_were_drawn() -> None:
    drawn: list[int] = []

    def random(count: int) -> bytes:
        drawn.append(count)
        return bytes(count)

    with closing(external_key()) as key:
        key.check(random)
    assert drawn == [32]


def test_moved_it_is_the_same_key(tmp_path: Path) -> None:
    with closing(external_key("crashes-at-once").moved(signer("--log", tmp_path / "log"))) as key:
        assert key.public == external_key().public
        VerifyKey(key.public).verify(key.sign(b"message", CONTEXT), b"message", CONTEXT)


# -- how it is named -------------------------------------------------------------------------------------------------------


def test_a_program_is_found_as_a_shell_would_and_kept_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = tmp_path / "bridge"
    bridge.write_text("#!/bin/sh\n")
    bridge.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    for name in ("bridge", "./bridge", str(bridge)):
        assert find_signer("7", (name, "--x", "")) == ExternalSigner(reference="7", command=(str(bridge), "--x", ""))


@pytest.mark.parametrize("words", [(), ("",), ("no-such-program",), ("/nowhere/at/all",), ("a\0b",), (".",)])
def test_what_is_no_program_is_not_named(words: tuple[str, ...]) -> None:
    with pytest.raises(Usage):
        find_signer("7", words)
    if words:
        with pytest.raises(Usage, match=f"there is no program {re.escape(repr(words[0]))}$"):
            find_signer("7", (*words, "--x"))


def test_what_cannot_be_written_into_a_key_file_is_not_named() -> None:
    for words in (("x" * 4096,), ("x",) * 32, ("a\0b",), ("\ud800",)):
        with pytest.raises(Malformed):
            find_signer("7", (sys.executable, *words))
    with pytest.raises(Malformed):
        find_signer("a b", (sys.executable,))


def test_its_form_in_a_key_file_is_read_back() -> None:
    for found in (
        signer(),
        ExternalSigner(reference="~" * 255, command=("/x", "", "ä", "\udcff")),
        ExternalSigner(reference="7", command=("/x",)),
        ExternalSigner(reference="7", command=("/",) * 32),
    ):
        assert ExternalSigner.read(found.packed()) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        "7",
        ["7"],
        ["7", [b"/x"], None],
        [7, [b"/x"]],
        [b"7", [b"/x"]],
        ["", [b"/x"]],
        ["a b", [b"/x"]],
        ["7", []],
        ["7", [b"/x"] * 33],
        ["7", [b"/" + b"x" * 4096]],
        ["7", ["/x"]],
        ["7", [b"x"]],
        ["7", [b""]],
        ["7", [b"/x", b"a\0b"]],
        ["7", b"/x"],
    ],
)
def test_malformed_in_a_key_file(value: object) -> None:
    with pytest.raises(Malformed):
        ExternalSigner.read(value)


def test_it_shows_as_it_could_be_typed() -> None:
    assert str(ExternalSigner(reference="7", command=("/x", "a b"))) == "/x 'a b'"
    assert str(signer("x")) == " ".join(command("x"))
