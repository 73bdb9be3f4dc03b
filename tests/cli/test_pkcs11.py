"""The bridge to PKCS#11 with a real module, SoftHSM2: keys found and used by their URI, PINs asked for once, and a whole exchange with it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.cli import VALIZA, World, run
from tests.support.custodians import Custodians
from tests.support.tokens import BRIDGE, PIN, SoftToken, make_token

from valiza.keys.conversation import Question, Reply, parse_reply
from valiza.keys.external import ExternalSigningKey
from valiza.keys.keyfile import load_key, public_part, save_key
from valiza.keys.signing import composite_message, verify_half

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE: Final = composite_message(b"body", b"valiza/v1/dispatch")
OTHERS: Final = ("rsa", "p-256", "ed448")
SEAL: Final = "pkcs11:token=kz-mfa;object=aigul-seal"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    """A token with keys; nobody changes it."""
    made = make_token(tmp_path_factory.mktemp("token") / "softhsm")
    made.generate("aigul-seal", "01")
    made.generate("second", "02ff")
    made.generate("answers", "04")
    made.generate("Мөр; 7", "03")
    for key_id in ("0a", "0b"):
        made.generate("twins", key_id)
    for kind in OTHERS:
        made.generate_other(kind, kind)
    return made


def ask(token: SoftToken, *questions: Question, pin: str | None = PIN, arguments: tuple[str, ...] = ()) -> list[Reply]:
    """What the bridge replies, to one question after the other."""
    given = {} if pin is None else {"VALIZA_PKCS11_PIN": pin}
    done = subprocess.run(
        [*token.command, *arguments],
        input=b"".join(question.line() for question in questions),
        env={**os.environ, **token.environment, **given},
        capture_output=True,
        timeout=60,
        check=False,
        start_new_session=True,  # no terminal
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [parse_reply(line) for line in done.stdout.splitlines(keepends=True)]


def public(reference: str) -> Question:
    return Question(verb="public", reference=reference)


def sign(reference: str) -> Question:
    return Question(verb="sign", reference=reference, message=MESSAGE)


# -- keys ------------------------------------------------------------------------------------------------------------------


def test_it_greets_tells_its_key_and_signs(token: SoftToken) -> None:
    ready, key, signature, again = ask(token, Question(verb="hello"), public(SEAL), sign(SEAL), sign(SEAL))
    assert ready == Reply(verb="ready")
    assert (key.verb, signature.verb) == ("key", "signature")
    verify_half(signature.value, MESSAGE, key.value)
    assert again == signature


@pytest.mark.parametrize(
    "reference",
    [
        SEAL,
        "pkcs11:object=aigul-seal",
        "pkcs11:id=%01",
        "pkcs11:token=kz-mfa;id=%01;object=aigul-seal;type=private",
        "pkcs11:token=%6bz%2Dmfa;object=aigul%2dseal",
        "pkcs11:manufacturer=SoftHSM%20project;model=SoftHSM%20v2;object=aigul-seal",
    ],
)
def test_a_key_is_found_by_its_uri(token: SoftToken, reference: str) -> None:
    assert ask(token, public(reference), public("pkcs11:object=second")) == ask(token, public(SEAL), public("pkcs11:id=%02%ff"))


def test_a_key_whose_name_is_not_ascii(token: SoftToken) -> None:
    named, by_id = ask(token, public("pkcs11:object=%D0%9C%D3%A9%D1%80%3B%207"), public("pkcs11:id=%03"))
    assert named == by_id
    assert named.verb == "key"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("aigul-seal", "no-key"),
        ("pkcs11:", "no-key"),
        ("pkcs11:token=kz-mfa", "no-key"),
        ("pkcs11:object=aigul-seal;object=second", "no-key"),
        ("pkcs11:object=aigul-seal;slot-id=0", "no-key"),
        ("pkcs11:object=aigul-seal;type=public", "no-key"),
        ("pkcs11:object=%ff", "no-key"),
        ("pkcs11:object=aigul-seal?pin-value=1234", "no-key"),
        ("pkcs11:object=nobody", "no-key"),
        ("pkcs11:id=%01;object=second", "no-key"),
        ("pkcs11:object=twins", "no-key"),
        ("pkcs11:token=other;object=aigul-seal", "unavailable"),
        ("pkcs11:serial=0;object=aigul-seal", "unavailable"),
    ],
)
def test_a_key_that_is_not_meant_or_not_there(token: SoftToken, reference: str, reason: str) -> None:
    replies = ask(token, public(reference), sign(reference), public(SEAL))
    assert [(reply.verb, reply.reason) for reply in replies] == [("error", reason), ("error", reason), ("key", "")]


@pytest.mark.parametrize("kind", OTHERS)
def test_a_key_of_another_kind(token: SoftToken, kind: str) -> None:
    (reply,) = ask(token, public(f"pkcs11:object={kind}"))
    assert (reply.reason, reply.said) == ("no-key", "it is no Ed25519 key")


def test_a_key_that_was_there_before_is_used(tmp_path: Path) -> None:
    """Ed25519 signs the same every time, so that the token's signature is known."""
    token = make_token(tmp_path / "softhsm")
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    point = token.bring("old", bytes(range(32)))
    key, signature = ask(token, public("pkcs11:object=old"), sign("pkcs11:object=old"))
    assert (key.value, signature.value) == (point, private.sign(MESSAGE))


def test_twins_are_told_apart_by_their_id(token: SoftToken) -> None:
    one, other = ask(token, public("pkcs11:object=twins;id=%0a"), public("pkcs11:object=twins;id=%0b"))
    assert one.verb == other.verb == "key"
    assert one != other


def test_of_several_tokens_one_is_named(tmp_path: Path) -> None:
    first = make_token(tmp_path / "softhsm")
    first.generate("seal", "01")
    first.add("other").generate("seal", "01")
    several, one, other = ask(first, *(public(f"pkcs11:{name}object=seal") for name in ("", "token=kz-mfa;", "token=other;")))
    assert several.reason == "no-key"
    assert one.verb == other.verb == "key"
    assert one != other


# -- PINs ------------------------------------------------------------------------------------------------------------------


def test_a_wrong_pin_is_tried_once(token: SoftToken) -> None:
    replies = ask(token, public(SEAL), public(SEAL), sign(SEAL), public("pkcs11:object=second"), pin="0000")
    assert [(reply.verb, reply.reason) for reply in replies] == [("error", "pin")] * 4
    assert ask(token, public(SEAL))[0].verb == "key", "it has not locked itself"


@pytest.mark.parametrize("pin", ["", "1" * 256])
def test_what_is_no_pin_is_not_tried(token: SoftToken, pin: str) -> None:
    assert ask(token, public(SEAL), pin=pin)[0].reason == "pin"


def test_a_pin_from_a_descriptor(token: SoftToken) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{PIN}\n".encode())
    os.close(writing)
    questions = b"".join(question.line() for question in (public(SEAL), sign(SEAL)))
    words = [*token.command, "--pin-fd", str(reading)]
    environment = {**os.environ, **token.environment}
    done = subprocess.run(words, input=questions, env=environment, capture_output=True, pass_fds=[reading], timeout=60, check=False)
    os.close(reading)
    assert [parse_reply(line).verb for line in done.stdout.splitlines(keepends=True)] == ["key", "signature"]
    assert ask(token, public(SEAL), pin=None, arguments=("--pin-fd", "99"))[0].reason == "pin"


def test_nobody_can_be_asked_for_a_pin(token: SoftToken) -> None:
    (reply,) = ask(token, public(SEAL), pin=None)
    assert reply.reason == "pin"
    assert "--pin-fd N or VALIZA_PKCS11_PIN" in reply.said


# -- what is not there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["/nowhere/module.so", "/etc/passwd", "/bin/sh"])
def test_what_is_no_module(module: str) -> None:
    questions = b"hello valiza-signer/1\n" + public(SEAL).line()
    done = subprocess.run([BRIDGE, "--module", module], input=questions, capture_output=True, timeout=60, check=False)
    assert [parse_reply(line).reason for line in done.stdout.splitlines(keepends=True)] == ["", "unavailable"]
    assert b"Traceback" not in done.stderr


def test_without_the_library_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "pkcs11.py").write_text("raise ImportError\n")
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from valiza.cli.pkcs11 import main; main()"
    words = [sys.executable, "-P", "-c", script, str(tmp_path), "--module", "/nowhere"]
    done = subprocess.run(words, input=b"hello valiza-signer/1\n" + public(SEAL).line(), capture_output=True, timeout=60, check=False)
    ready, error = (parse_reply(line) for line in done.stdout.splitlines(keepends=True))
    assert (ready.verb, error.reason) == ("ready", "unavailable")
    assert "pip install 'valiza[pkcs11]'" in error.said


@pytest.mark.parametrize("line", [b"what?\n", b"sign x 00\n", b"x" * 5000 + b"\n", b"hello valiza-signer/1"])
def test_what_is_no_question_ends_it(line: bytes) -> None:
    done = subprocess.run([BRIDGE, "--module", "/nowhere"], input=line + public(SEAL).line(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [parse_reply(reply).reason for reply in done.stdout.splitlines(keepends=True)] == ["malformed"]


@pytest.mark.parametrize("words", [[], ["--module"], ["--module", "/x", "--pin-fd", "0"], ["--pin", "1234"]], ids=" ".join)
def test_what_it_is_not_called_with(words: list[str]) -> None:
    done = subprocess.run([BRIDGE, *words], input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert done.stderr.startswith(b"valiza-pkcs11-signer: error: ")
    assert b"1234" not in done.stderr


def test_its_help() -> None:
    done = subprocess.run([BRIDGE, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "pkcs11:token=ministry;object=seal" in done.stdout
    assert subprocess.run([BRIDGE], capture_output=True, timeout=60, check=False).returncode == 2


# -- an exchange -----------------------------------------------------------------------------------------------------------


def _list(world: World, token: SoftToken, reference: str = SEAL, *arguments: str, whose: tuple[str, str] = ("daria", "seal")) -> Path:
    path = world.path("signers.toml")
    command = [*token.command, *arguments]
    path.write_text(f'[[key]]\nofficer = "{whose[0]}"\npurpose = "{whose[1]}"\nreference = "{reference}"\ncommand = {command!r}\n')
    return path


@pytest.fixture
def enrolled(world: World, token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> World:
    """The offices; the sealer Daria has her Ed25519 half in the token."""
    for name, value in {**token.environment, "VALIZA_PKCS11_PIN": PIN}.items():
        monkeypatch.setenv(name, value)
    world.kz.works("credential", "issue", "daria:seal:1:Daria Kim", "--external", _list(world, token), "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    world.by.works("roster", "import", world.path("KZ-2.vls"))
    return world


def test_sealed_with_a_token_verified_opened_and_receipted_on_the_other_side(enrolled: World, token: SoftToken) -> None:
    world, envelope = enrolled, enrolled.path("envelope.vlz")
    key = public_part(world.kz.home / "keys" / "daria" / "seal.key")
    assert key.signer is not None
    assert key.public[-32:] == ask(token, public(SEAL))[0].value
    world.kz.works("key", "check", "--as=daria")
    world.kz.works(*world.order(), "--as=daria", "-o", envelope)
    world.by.works("verify", envelope)
    trust: list[str | Path] = ["--root", world.kz.root, "--root", world.by.root, "--roster", world.path("KZ-2.vls"), "--roster", world.by.roster]
    stranger = run("verify", envelope, *trust, "--agreement", world.agreement)
    assert stranger.code == 0, stranger.err
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


@pytest.mark.slow
def test_every_signature_of_an_exchange_by_a_token(enrolled: World, token: SoftToken) -> None:
    """The other side has a key each for acknowledging and countersigning in it."""
    world, envelope = enrolled, enrolled.path("envelope.vlz")
    for officer, purpose, key in (("timur", "acknowledge", "second"), ("saule", "countersign", "answers")):
        signers = _list(world, token, f"pkcs11:object={key}", whose=(officer, purpose))
        world.by.works("credential", "issue", f"{officer}:open,{purpose}:1", "--external", signers, "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    world.kz.works(*world.order(), "--as=daria", "-o", envelope)
    world.open(envelope, officer="timur")
    receipt = world.countersign(world.acknowledge(envelope, officer="timur"), envelope, officer="saule")
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


@pytest.mark.slow
def test_many_envelopes_sealed_with_a_token(enrolled: World) -> None:
    world = enrolled
    files = [world.path(f"{number}.txt") for number in range(4)]
    for path in files:
        path.write_text(path.name)
    world.kz.works(*world.order(files=files), "--as=daria", "--each", "-o", world.path("sealed"))
    world.by.works("verify", *sorted(world.path("sealed").iterdir()))


@pytest.mark.slow
def test_a_token_that_was_pulled_out(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_token(tmp_path / "softhsm")
    token.generate("aigul-seal", "01")
    for name, value in {**token.environment, "VALIZA_PKCS11_PIN": PIN}.items():
        monkeypatch.setenv(name, value)
    world.kz.works("credential", "issue", "daria:seal:1", "--external", _list(world, token), "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    token.unplug()
    done = world.kz.fails(7, *world.order(), "--as=daria", "-o", world.path("envelope.vlz"))
    assert "cannot reach the key: no such token is there" in done.error
    token.add("kz-mfa").generate("aigul-seal", "01")
    done = world.kz.fails(5, *world.order(), "--as=daria", "-o", world.path("envelope.vlz"))
    assert "keeps another key" in done.error
    assert not world.path("envelope.vlz").exists()


def _other_command(world: World, *command: str | Path) -> None:
    """Write another command into the key file, as somebody may whose module was moved away afterwards."""
    path = world.kz.home / "keys" / "daria" / "seal.key"
    key = load_key(path, str)
    assert isinstance(key, ExternalSigningKey)
    path.unlink()
    save_key(path, key.moved(replace(key.signer, command=tuple(map(str, command)))), passphrase=None, random=os.urandom)


@pytest.mark.slow
def test_each_thing_that_can_be_wrong_has_its_exit_code_and_one_line(enrolled: World, token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(code: int) -> str:
        done = enrolled.kz.fails(code, *enrolled.order(), "--as=daria", "-o", enrolled.path("envelope.vlz"))
        assert PIN not in done.err
        assert not enrolled.path("envelope.vlz").exists()
        return done.error

    monkeypatch.setenv("VALIZA_PKCS11_PIN", "0000")
    assert "cannot unlock the key: the token says: PinIncorrect" in said(5)
    monkeypatch.setenv("VALIZA_PKCS11_PIN", PIN)
    _other_command(enrolled, BRIDGE, "--module", "/nowhere/module.so")
    assert "cannot reach the key" in said(7)
    _other_command(enrolled, "/nowhere/valiza-pkcs11-signer", "--module", token.module)
    assert "/nowhere/valiza-pkcs11-signer" in said(7)
    _other_command(enrolled, *token.command)
    enrolled.seal("--as=daria")


@pytest.mark.parametrize(
    ("reference", "code", "words"),
    [
        ("pkcs11:object=rsa", 5, "it is no Ed25519 key"),
        ("pkcs11:object=p-256", 5, "it is no Ed25519 key"),
        ("pkcs11:object=nobody", 5, "the token has no such private key"),
        ("pkcs11:object=twins", 5, "the token has several"),
        ("pkcs11:object=aigul-seal?pin-value=1234", 5, "the reference is no PKCS#11 URI"),
        ("pkcs11:token=other;object=aigul-seal", 7, "no such token is there"),
    ],
)
def test_what_cannot_be_enrolled(world: World, token: SoftToken, reference: str, code: int, words: str, *, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**token.environment, "VALIZA_PKCS11_PIN": PIN}.items():
        monkeypatch.setenv(name, value)
    signers = _list(world, token, reference)
    done = world.kz.fails(code, "credential", "issue", "daria:seal:1", "--external", signers, "--unprotected")
    assert words in done.error
    assert not (world.kz.home / "keys" / "daria").exists()


@pytest.mark.slow
def test_the_pin_is_given_by_a_descriptor_and_kept_nowhere(world: World, token: SoftToken) -> None:
    """The program that Valiza starts gets the descriptor that Valiza was given. Nothing written, printed or started has the PIN in it."""
    environment = {name: value for name, value in os.environ.items() if name != "VALIZA_PKCS11_PIN"} | token.environment
    signers = _list(world, token, SEAL, "--pin-fd", "7")
    said = b""
    for words in (
        ["credential", "issue", "daria:seal:1", "--external", signers, "--unprotected", "--json"],
        ["key", "check", "--as=daria", "--json"],
        ["key", "show", "--json"],
    ):
        script = 'exec 7<<"."\n' + PIN + '\n.\nexec "$@"'
        line = ["sh", "-c", script, "sh", VALIZA, *words, "--home", world.kz.home]
        done = subprocess.run(line, env=environment, capture_output=True, timeout=60, check=False, start_new_session=True)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    assert b"--pin-fd" in said
    written = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert PIN.encode() not in said + written
    done = subprocess.run([*token.command, "--pin", PIN], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2, "a command line is read by everybody"


def test_custodians_whose_halves_are_in_a_token(token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root of two custodians and of both, one with a key in the token; then a key file that is told where the half is now."""
    for name, value in {**token.environment, "VALIZA_PKCS11_PIN": PIN}.items():
        monkeypatch.setenv(name, value)
    people = Custodians(tmp_path)
    signers = tmp_path / "signers.toml"
    row = f'[[key]]\nofficer = "aliya"\npurpose = "custodian"\nreference = "pkcs11:object=second"\ncommand = {list(token.command)!r}\n'
    signers.write_text(row)
    people.new("aliya", "--external", str(signers))
    people.new("bolat")
    assert public_part(people.key("aliya")).public[-32:] == ask(token, public("pkcs11:object=second"))[0].value
    options = ["--party=KZ", "--name=en=KZ", "--degrees=1", "--threshold=2", *people.asking("aliya", "bolat")]
    for first, last in (("aliya", "bolat"), ("bolat", "aliya")):
        assert run("root", "draft", *options, "--key", people.key(first), "-o", people.path(f"{first}.1")).code == 0
        whole = people.finish(people.path(f"{first}.1"), f"{first}.2", last)
        assert run("root", "show", whole).code == 0
    monkeypatch.setenv("VALIZA_PKCS11_PIN", "0000")
    done = people.sign(people.path("bolat.1"), "x", "aliya")
    assert (done.code, done.out) == (5, "")
    assert "PinIncorrect" in done.error
    assert not people.path("x").exists()


def test_a_key_with_its_half_in_a_token_is_not_backed_up_on_paper(enrolled: World) -> None:
    key = enrolled.kz.home / "keys" / "daria" / "seal.key"
    done = run("key", "backup", key, "--shares=3", "--threshold=2", "-o", enrolled.path("sheets"))
    assert done.code == 6
    assert "half of this key is kept by" in done.error
    assert not enrolled.path("sheets").exists()


# -- at a terminal ---------------------------------------------------------------------------------------------------------


def _at_terminal(world: World, *extra: str | Path) -> pexpect.spawn[str]:
    words = [str(word) for word in (*world.order(*extra), "--as=daria", "--home", world.kz.home)]
    return pexpect.spawn(str(VALIZA), words, env=_without_pin(), encoding="utf-8", timeout=60, dimensions=(40, 250))


@pytest.mark.slow
def test_the_pin_is_asked_for_at_the_terminal(enrolled: World) -> None:
    envelope = enrolled.path("envelope.vlz")
    child = _at_terminal(enrolled, "-o", envelope)
    child.expect("PIN of token kz-mfa: ")
    assert not child.getecho()
    child.sendline(PIN)
    child.expect("envelope id: ")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert PIN not in str(child.before)
    enrolled.by.works("verify", envelope)


@pytest.mark.slow
def test_a_wrong_pin_at_the_terminal(enrolled: World) -> None:
    child = _at_terminal(enrolled, "-o", enrolled.path("envelope.vlz"))
    child.expect("PIN of token kz-mfa: ")
    child.sendline("0000")
    child.expect("valiza: error: the external signer .* cannot unlock the key: the token says: PinIncorrect")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5
    assert not enrolled.path("envelope.vlz").exists()


@pytest.mark.slow
def test_who_is_interrupted_at_the_pin_has_the_echo_back(enrolled: World) -> None:
    script = 'trap : INT; "$@"; echo "ended with $?"; stty -a'
    words = [str(word) for word in (VALIZA, *enrolled.order("-o", enrolled.path("envelope.vlz")), "--as=daria", "--home", enrolled.kz.home)]
    shell = pexpect.spawn("/bin/sh", ["-c", script, "sh", *words], env=_without_pin(), encoding="utf-8", timeout=60, dimensions=(40, 250))
    shell.expect("PIN of token kz-mfa: ")
    assert not shell.getecho()
    shell.sendintr()
    shell.expect("valiza: error: interrupted")
    shell.expect("ended with 130")
    assert shell.expect([" echo ", " -echo "]) == 0
    shell.close()
    assert not enrolled.path("envelope.vlz").exists()


def _without_pin() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VALIZA_PKCS11_PIN"}
