"""Programs that keep halves of keys, good ones and bad ones: whatever they do, there is one error in time, and no process is left."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import textwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.signer import public_of, sign
from tests.support.signers import command

from valiza.keys import program as program_module
from valiza.keys.errors import NoKey, Refused, Unavailable, ValizaError
from valiza.keys.program import Patience, Program
from valiza.keys.signing import composite_message, verify_half

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MESSAGE: Final = composite_message(b"body", b"valiza/v1/dispatch")
SHORT: Final = Patience(greeting_s=20, reply_s=0.3, ending_s=0.3)  # for what never comes; starting Python is given its time
VERY_SHORT: Final = Patience(greeting_s=0.3, reply_s=0.3, ending_s=0.3)


@contextlib.contextmanager
def running(*arguments: str | Path, patience: Patience | None = None, program: tuple[str, ...] | None = None) -> Iterator[Program]:
    """A signer, that is gone at the end."""
    found = Program(command(*arguments) if program is None else program, patience or Patience())
    started: list[subprocess.Popen[bytes]] = []
    start = found._start

    def noted() -> None:
        start()
        assert found._process is not None
        started.append(found._process)

    found._start = noted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        found.close()
    assert [process.returncode is None for process in started] == [False] * len(started)


# -- as it should be -------------------------------------------------------------------------------------------------------


def test_it_tells_its_key_and_signs() -> None:
    with running() as program:
        assert program.public("any") == public_of("one")
        assert program.sign("any", MESSAGE) == sign("one", MESSAGE)
        verify_half(program.sign("any", MESSAGE), MESSAGE, public_of("one"))


def test_it_is_started_when_it_is_asked_and_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("--log", log) as program:
        assert not log.exists()
        for _ in range(3):
            program.sign("any", MESSAGE)
            program.public("any")
    asked = [line.split()[0] for line in log.read_bytes().splitlines()]
    assert asked == [b"hello", b"sign", b"public", b"sign", b"sign"]


def test_after_it_was_closed_it_is_started_again() -> None:
    with running() as program:
        program.public("any")
        program.close()
        assert program._process is None
        assert program.sign("any", MESSAGE) == sign("one", MESSAGE)


def test_closed_before_it_was_ever_asked() -> None:
    with running():
        pass


def test_what_it_tells_on_standard_error_is_nobodys_business_while_it_answers(capfd: pytest.CaptureFixture[str]) -> None:
    with running("complains") as program:
        assert program.public("any") == public_of("one")
    assert capfd.readouterr() == ("", "")


def test_a_signer_in_a_shell(tmp_path: Path) -> None:
    """What the specification says is enough to write one: here with OpenSSL, which shares no code with the one in Python."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    script, key = tmp_path / "signer.sh", tmp_path / "key.pem"
    subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    script.write_text(
        textwrap.dedent(f"""\
            hex() {{ od -An -v -tx1 | tr -d ' \\n'; }}
            while read -r verb reference message; do
                case $verb in
                hello) echo ready valiza-signer/1 ;;
                public) echo key "$(openssl pkey -in {key} -pubout -outform DER | tail -c 32 | hex)" ;;
                sign)
                    printf '%b' "$(echo "$message" | sed 's/../\\\\x&/g')" > {tmp_path}/message
                    echo signature "$(openssl pkeyutl -sign -rawin -inkey {key} -in {tmp_path}/message | hex)"
                    ;;
                *) echo error malformed "I do not know $verb" ;;
                esac
            done
            """)
    )
    with running(program=("/bin/bash", str(script))) as program:
        verify_half(program.sign("any", MESSAGE), MESSAGE, program.public("any"))


# -- what it is given ------------------------------------------------------------------------------------------------------


def _told(tmp_path: Path, what: str) -> str:
    """What a signer that writes a fact of its own into a file found."""
    script = tmp_path / "curious.py"
    fact = tmp_path / "fact"
    script.write_text(
        textwrap.dedent(f"""\
            import os, runpy, sys
            with open({str(fact)!r}, "w") as fact:
                fact.write(str({what}))
            sys.argv = sys.argv[1:]
            runpy.run_path(sys.argv[0], run_name="__main__")
            """)
    )
    with running(program=(sys.executable, str(script), *command()[2:])) as program:
        program.public("any")
    return fact.read_text()


def test_it_gets_the_environment_without_our_passphrases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", "secret")
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "new secret")
    monkeypatch.setenv("VENDOR_PIN", "1234")
    assert _told(tmp_path, "sorted((k, v) for k, v in os.environ.items() if 'PASSPHRASE' in k or 'PIN' in k)") == "[('VENDOR_PIN', '1234')]"


def test_it_gets_descriptors_that_were_handed_to_us_and_none_of_our_own(tmp_path: Path) -> None:
    handed, ours = (os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY) for _ in range(2))
    try:
        os.set_inheritable(handed, True)  # noqa: FBT003 - its one argument
        found = "[d for d in map(int, os.listdir('/proc/self/fd')) if d > 2 and os.path.exists(f'/proc/self/fd/{d}')]"
        assert [d for d in eval(_told(tmp_path, found)) if d in (handed, ours)] == [handed]  # noqa: S307 - a list of numbers
    finally:
        os.close(handed)
        os.close(ours)


def test_it_stays_in_our_session_and_process_group(tmp_path: Path) -> None:
    """Or it could not ask for a PIN at the terminal."""
    assert _told(tmp_path, "(os.getsid(0), os.getpgrp())") == str((os.getsid(0), os.getpgrp()))


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    with running("--log", f"{tmp_path}/$(id) ; `true` * 'x'") as program:
        program.public("any")
    assert [path.name for path in tmp_path.iterdir()] == ["$(id) ; `true` * 'x'"]


# -- as it should not be ---------------------------------------------------------------------------------------------------


def _ask(program: Program) -> None:
    program.public("any")
    program.sign("any", MESSAGE)


def _fails(program: Program) -> ValizaError:
    """The error of a question, which every later one gets too, without the program being asked."""
    with pytest.raises(ValizaError) as first:
        _ask(program)
    assert program._process is None
    questions: list[Callable[[], bytes]] = [lambda: program.sign("any", MESSAGE), lambda: program.public("other")]
    for again in questions:
        with pytest.raises(type(first.value)) as second:
            again()
        assert (second.value.message, second.value.hint) == (first.value.message, first.value.hint)
        assert program._process is None
    return first.value


MISCHIEF: Final[dict[str, tuple[type[ValizaError], str]]] = {
    "crashes-at-once": (Unavailable, r"ended without a reply \(status 1\); it told: RuntimeError: no card in the reader$"),
    "leaves-at-once": (Unavailable, r"ended without a reply \(status 0\)$"),
    "killed-at-once": (Unavailable, r"ended without a reply \(signal 9\)$"),
    "other-version": (Unavailable, "does not keep to the protocol: the reply is none"),
    "refuses-version": (Unavailable, "did not understand: I speak another version"),
    "chatty": (Unavailable, "more than one line"),
    "early": (Unavailable, "wrote before it was asked|more than one line|'ready' is no reply to 'public'"),
    "says-nothing": (Unavailable, "does not keep to the protocol: the reply is none"),
    "not-text": (Unavailable, "not text in UTF-8"),
    "carriage-return": (Unavailable, "the reply is none"),
    "short-key": (Unavailable, "the reply is none"),
    "no-such-key": (NoKey, "knows no such key: there is none"),
    "wrong-pin": (NoKey, "cannot unlock the key: CKR_PIN_INCORRECT"),
    "not-there": (Unavailable, "cannot reach the key: plug it in"),
    "crashes-at-sign": (Unavailable, r"\(status 1\); it told: RuntimeError: no card in the reader$"),
    "killed-at-sign": (Unavailable, r"\(signal 9\)$"),
    "says-no": (Refused, "refuses: the person pressed cancel"),
    "reason-unknown": (Unavailable, "the reply is none"),
    "reason-unsaid": (Unavailable, "the reply is none"),
    "key-for-signature": (Unavailable, "'key' is no reply to 'sign'"),
    "capitals": (Unavailable, "the reply is none"),
    "half-a-line-and-leaves": (Unavailable, "ended without a reply"),
    "long-line": (Unavailable, "too long"),
    "two-replies": (Unavailable, "more than one line"),
    "floods-output": (Unavailable, "too long"),
    "floods-errors": (Unavailable, "without end to standard error"),
}


@pytest.mark.parametrize("mischief", MISCHIEF)
def test_mischief(mischief: str) -> None:
    family, words = MISCHIEF[mischief]
    with running(mischief) as program:
        error = _fails(program)
    assert type(error) is family
    assert error.message.startswith(f"the external signer {sys.executable!r} ")
    with pytest.raises(family, match=words):
        raise error


@pytest.mark.slow
@pytest.mark.parametrize(("mischief", "words"), [("closes-output", "ended without a reply$"), ("leaves-a-child", "ended without|did not reply")])
def test_one_that_cannot_be_told_from_one_that_is_slow(mischief: str, words: str) -> None:
    """Its output is closed and it runs; or it has ended, and a child of its own holds the output."""
    with running(mischief, patience=Patience(reply_s=2, ending_s=0.3)) as program:
        error = _fails(program)
    with pytest.raises(Unavailable, match=words):
        raise error


@pytest.mark.parametrize(
    ("mischief", "patience"), [("hangs-at-once", VERY_SHORT), ("hangs-at-public", SHORT), ("hangs-at-sign", SHORT), ("half-a-line", SHORT)]
)
def test_late(mischief: str, patience: Patience) -> None:
    with running(mischief, patience=patience) as program:
        error = _fails(program)
    assert isinstance(error, Unavailable)
    assert "did not reply within 0.3 s" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("mischief", ["stays", "stubborn"])
def test_one_that_stays_is_made_to_go(mischief: str) -> None:
    with running(mischief, patience=Patience(ending_s=0.3)) as program:
        assert program.public("any") == public_of("one")


@pytest.mark.parametrize(
    ("path", "words"),
    [("/nowhere/signer", "no such file"), ("/etc/passwd", "permission denied"), ("/", "permission denied")],
)
def test_what_is_no_program_cannot_be_started(path: str, words: str) -> None:
    with running(program=(path, "--x")) as program:
        error = _fails(program)
    assert isinstance(error, Unavailable)
    assert error.message.startswith(f"the external signer {path!r} cannot be started: {words}")
    assert path not in error.message.partition("started")[2], "once is enough"
    assert "valiza key external" in error.hint


@pytest.mark.parametrize("echo", [("/bin/cat",), ("/bin/sh", "-c", "yes"), ("/bin/true",), ("/bin/sleep", "100")], ids=lambda words: words[-1])
def test_programs_of_other_trades(echo: tuple[str, ...]) -> None:
    with running(program=echo, patience=VERY_SHORT) as program:
        assert isinstance(_fails(program), Unavailable)


def test_a_pin_that_was_wrong_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("--log", log, "wrong-pin") as program:
        _fails(program)
    assert log.read_bytes() == b"hello valiza-signer/1\npublic any\n"


# -- to the byte -----------------------------------------------------------------------------------------------------------

READY: Final = "read -r question; echo ready valiza-signer/1; "
KEY: Final = f"read -r question; echo key {'ab' * 32}; "


def shell(script: str, *arguments: str) -> tuple[str, ...]:
    """A signer in a few words of shell, which starts sooner than Python."""
    return ("/bin/sh", "-c", script, *arguments)


def test_how_long_it_is_waited_for() -> None:
    assert Patience() == Patience(greeting_s=30, reply_s=120, ending_s=5)


class Clock:
    """Stands still, and notes how long is waited, in milliseconds; after a wait in which the program may still say why it ended, it goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, then_s: float = 0) -> None:
        self.now = 0.5
        self.waits: list[float] = []
        real = select.poll

        class Noted:
            def __init__(noted) -> None:  # noqa: N805 - the clock is self
                noted.poller = real()
                noted.register, noted.unregister = noted.poller.register, noted.poller.unregister

            def poll(noted, timeout: float) -> list[tuple[int, int]]:  # noqa: N805 - as above
                self.waits.append(timeout)
                assert len(self.waits) < 50, "it looks again and again"
                found = noted.poller.poll(timeout)
                self.now += then_s if timeout == 1000 else 0
                return found

        monkeypatch.setattr(select, "poll", Noted)
        monkeypatch.setattr(program_module, "time", SimpleNamespace(monotonic=lambda: self.now))


def test_it_is_waited_for_at_once_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """First it is asked whether it wrote before it was asked, then it has its time to reply."""
    patience = Patience(greeting_s=20, reply_s=50)
    with running(program=shell(READY + KEY + "read -r question"), patience=patience) as program, monkeypatch.context() as patch:
        clock = Clock(patch)
        assert program.public("any") == b"\xab" * 32
    assert clock.waits == [0, 20000, 0, 50000]


def _ends(monkeypatch: pytest.MonkeyPatch, script: str, *, then_s: float = 0) -> tuple[list[float], float | None, str]:
    """How long one is waited for that closes its output, how long for its end, and what is told of it."""
    ends: list[float | None] = []
    wait = subprocess.Popen.wait
    with running(program=shell(f"read -r question; {script}"), patience=Patience(greeting_s=20)) as program, monkeypatch.context() as patch:

        def noted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
            ends.append(timeout)
            return wait(process, timeout)

        patch.setattr(subprocess.Popen, "wait", noted)
        clock = Clock(patch, then_s=then_s)
        with pytest.raises(Unavailable) as raised:
            program.public("any")
    assert clock.waits[:2] == [0, 20000]
    return clock.waits[2:], ends[0], raised.value.message.partition("ended without a reply")[2]


def test_what_it_tells_last_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, end, told = _ends(monkeypatch, "exec >&-; echo first >&2; sleep 0.02; echo last >&2; exit 3")
    assert set(waits) == {1000}
    assert (end, told) == (1, " (status 3); it told: last")


def test_one_that_was_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ends(monkeypatch, "kill -HUP $$")[1:] == (1, " (signal 1)")


@pytest.mark.parametrize("then_s", [1, 1.5])
def test_one_that_tells_no_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, then_s: float) -> None:
    """It closed its output, and goes on: a second is enough, and what it tells later comes too late."""
    assert _ends(monkeypatch, "exec >&-; echo first >&2; exec sleep 100", then_s=then_s) == ([1000], 0, "; it told: first")


def test_nothing_that_it_does_can_block_us() -> None:
    with running(program=shell(READY + KEY + "exec sleep 100"), patience=SHORT) as program:
        program.public("any")
        assert program._process is not None
        streams = [program._process.stdin, program._process.stdout, program._process.stderr]
        assert [os.get_blocking(stream.fileno()) for stream in streams if stream is not None] == [False] * 3
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(program._stream("stdin"), b"x" * size)
        with pytest.raises(Unavailable, match="does not keep to the protocol: it does not read"):
            program.sign("any", MESSAGE)


def test_what_it_writes_before_it_is_asked_is_no_reply(tmp_path: Path) -> None:
    """Between two questions, when the first was replied to as it should be."""
    flag = tmp_path / "flag"
    stray = 'while [ ! -e "$0" ]; do sleep 0.01; done; echo stray; read -r question'
    with running(program=shell(READY + KEY + stray, str(flag))) as program:
        program.public("any")
        flag.touch()
        select.select([program._stream("stdout")], [], [], 20)
        with pytest.raises(Unavailable, match="does not keep to the protocol: it wrote before it was asked"):
            program.sign("any", MESSAGE)


def test_one_that_has_ended_meanwhile_has_ended() -> None:
    with running(program=shell(READY + KEY)) as program:
        program.public("any")
        assert program._process is not None
        program._process.wait()
        with pytest.raises(Unavailable, match=r"ended without a reply \(status 0\)$"):
            program.sign("any", MESSAGE)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%01023d\\n", "the reply is none"),
        ("%01024d\\n", "more than one line, or one that is too long"),
        ("ready valiza-signer/1\\n\\n", "more than one line"),
        ("ready valiza-signer/1\\n ", "more than one line"),
    ],
)
def test_one_line_and_no_more(line: str, words: str) -> None:
    with (
        running(program=shell(f"read -r question; printf '{line}'; read -r question")) as program,
        pytest.raises(Unavailable, match=f"does not keep to the protocol: .*{words}"),
    ):
        program.public("any")


def test_how_much_it_may_tell() -> None:
    with running(program=shell(f"head -c {1 << 20} /dev/zero >&2; {READY}{KEY} read -r question")) as program:
        program.public("any")
        assert program._told == bytes(4096)
        assert program._told_bytes <= 1 << 20
        program.close()
        assert program.public("any") == b"\xab" * 32, "it is counted anew"
    with (
        running(program=shell(f"head -c {(1 << 20) + 1} /dev/zero >&2; {READY}{KEY} read -r question")) as program,
        pytest.raises(Unavailable, match="it wrote without end to standard error"),
    ):
        program.public("any")


def test_how_much_is_shown_of_what_it_told() -> None:
    digits = "".join(f"{number:04}" for number in range(1500))
    with running(program=shell("printf '%s\\n' \"$0\" >&2; exit 3", digits)) as program, pytest.raises(Unavailable) as raised:
        program.public("any")
    assert raised.value.message.endswith(f"ended without a reply (status 3); it told: {digits[6001 - 4096 :][:200]}")


def test_an_interruption_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second at most, in which it may end by itself."""
    waits: list[float | None] = []
    wait = subprocess.Popen.wait

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    def noted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        waits.append(timeout)
        return wait(process, None if timeout is None else 10 * timeout)

    with running(program=shell(READY + KEY + "read -r question")) as program:
        program.public("any")
        monkeypatch.setattr(program, "_exchange", interrupted)
        monkeypatch.setattr(subprocess.Popen, "wait", noted)
        with pytest.raises(KeyboardInterrupt):
            program.sign("any", MESSAGE)
        assert program._process is None
    assert waits == [1.0, None]


@pytest.mark.parametrize("stubborn", [True, False])
def test_one_that_failed_is_asked_to_go_and_then_made_to(monkeypatch: pytest.MonkeyPatch, *, stubborn: bool) -> None:
    waits: list[float | None] = []
    wait = subprocess.Popen.wait

    def noted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        waits.append(timeout)
        return wait(process, None if timeout is None else min(timeout, 0.05) if stubborn else 10 * timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", noted)
    trap = "trap '' TERM; " if stubborn else ""
    with running(program=shell(f"{trap}{READY}echo stray; exec sleep 100")) as program:
        with pytest.raises(Unavailable):
            program.public("any")
        assert program._process is None
    assert waits == [0, 2.0, None]
