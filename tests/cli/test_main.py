"""The command as a whole: its help, its exit codes, and that nothing ever ends in a traceback."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, Outcome, World, assert_failed, fails, leaves, listing, program, require_understood, run, works

from valiza.keys.errors import Incomplete, Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError

if TYPE_CHECKING:
    from pathlib import Path

ORDER_OF_THE_WORK: Final = [
    *("demo", "custodian", "root", "office", "credential", "revocation", "designation", "roster", "agreement", "clearance", "seal", "withdraw"),
    *("transport", "inspect"),
    *("verify", "open", "rewrap", "acknowledge", "refuse", "countersign", "receipt", "mail", "register", "evidence"),
    *("gateway", "doctor", "key", "ceremony", "config", "completion"),
]
LEAVES: Final = list(leaves())
NEEDS_NOTHING: Final = (("agreement", "list"), ("gateway", "rules", "show"), ("config", "path"), ("config", "show"))
GROUPS: Final = list(dict.fromkeys(leaf[0] for leaf in LEAVES if len(leaf) > 1))


# -- help ------------------------------------------------------------------------------------------------------------------


def test_help_lists_commands_in_the_order_of_the_work() -> None:
    listed = works("--help").out.partition("Commands:\n")[2]
    assert re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE) == ORDER_OF_THE_WORK


def test_help_tells_the_exit_codes() -> None:
    told = works("--help").out.partition("Exit status:")[2]
    assert re.findall(r"\b([0-9])\b", told) == list("012345678")


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_help_of_every_command_ends_with_examples_that_work(leaf: tuple[str, ...]) -> None:
    shown = works(*leaf, "--help").out
    assert works(*leaf, "-h").out == shown
    examples = shown.partition("Examples:\n")[2].replace("\\\n", " ").splitlines()
    mine = [shlex.split(example) for example in examples if example.strip()]
    assert tuple(mine[0][1 : 1 + len(leaf)]) == leaf
    for words in mine:
        assert words[0] == "valiza"
        end = next((index for index, word in enumerate(words) if word in {">", "3<", "#"}), None)  # of what the program itself gets
        require_understood(words[1:end])


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_option_is_explained(leaf: tuple[str, ...]) -> None:
    options = works(*leaf, "--help").out.partition("Options:\n")[2].partition("Examples:")[0]
    unexplained = [line for line in options.splitlines() if re.fullmatch(r"  -\S+( [A-Z|…:=,]+)?", line)]
    following = [after for line, after in zip(options.splitlines(), [*options.splitlines()[1:], ""], strict=True) if line in unexplained]
    assert [line for line in following if not line.startswith("      ")] == []


def test_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", {"valiza": "1.2.3"}.__getitem__)
    assert works("--version").out == "valiza 1.2.3\n"


def test_module_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "valiza.cli", "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == program("--help").out


# -- wrong usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_unknown_option_is_wrong_usage(leaf: tuple[str, ...]) -> None:
    done = fails(2, *leaf, "--no-such-option")
    assert "--no-such-option" in done.error
    assert done.hint == f"valiza {' '.join(leaf)} --help"


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf not in NEEDS_NOTHING], ids=" ".join)
def test_a_command_alone_lacks_something_and_says_what(leaf: tuple[str, ...]) -> None:
    done = fails(2, *leaf)
    assert "missing" in done.error or "no office" in done.error
    assert done.hint


@pytest.mark.parametrize("words", [["no-such-command"], *[[group, "no-such-command"] for group in GROUPS]], ids=" ".join)
def test_unknown_command_is_wrong_usage(words: list[str]) -> None:
    done = fails(2, *words)
    assert "no-such-command" in done.error
    assert done.hint == f"valiza {' '.join([*words[:-1], '--help'])}"


@pytest.mark.parametrize("words", [[], *[[group] for group in GROUPS]], ids=lambda words: " ".join(words) or "bare")
def test_a_group_alone_shows_its_help_where_people_look(words: list[str]) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == works(*words, "--help").out


# -- the one table from errors to exit codes --------------------------------------------------------------------------------


def _fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    def broken(_path: Path) -> None:
        raise error

    monkeypatch.setattr("valiza.office.reader.envelope_file", broken)
    return run("inspect", "whatever.vlz")


@pytest.mark.parametrize(
    ("family", "code"), [(Usage, 2), (Malformed, 3), (NotAuthentic, 4), (NoKey, 5), (Refused, 6), (Unavailable, 7), (Incomplete, 8)]
)
def test_exit_code_of_each_family(family: type[ValizaError], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _fail_with(family("it is so", "try that"), monkeypatch)
    assert (done.code, done.out, done.err) == (code, "", "valiza: error: it is so\nvaliza: hint: try that\n")


def test_a_fault_of_ours_is_told_without_traceback_or_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _fail_with(RuntimeError("the seed is 12345"), monkeypatch)
    assert_failed(done, 1)
    assert "report" in done.hint
    assert "12345" not in done.err


def test_a_fault_of_ours_can_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="for developers"):
        _fail_with(RuntimeError("for developers"), monkeypatch)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS], ids=errno.errorcode.get)
def test_what_the_system_refuses_is_told_in_one_line(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _fail_with(OSError(number, os.strerror(number), "some/file"), monkeypatch)
    assert_failed(done, 7)
    assert "some/file" in done.error


# -- streams and signals ---------------------------------------------------------------------------------------------------


def _shell(line: str, cwd: Path) -> Outcome:
    """A command line as a shell runs it; `valiza` is the program."""
    done = subprocess.run(["sh", "-c", f'valiza() {{ "{VALIZA}" "$@"; }}; {line}'], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)  # noqa: S607
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_a_pipe_that_nobody_reads_is_no_fault_of_ours(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [VALIZA, "agreement", "show", "kz-by", "--json"], stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60, cwd=tmp_path, check=False
        )
    assert done.returncode == 7
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_full_disk_behind_stdout(tmp_path: Path) -> None:
    done = _shell("valiza agreement show kz-by >/dev/full", tmp_path)
    assert_failed(done, 7)


def test_without_stdin_nobody_is_asked(world: World) -> None:
    order = [str(word) for word in world.order("--home", world.kz.home, "-o", "e.vlz") if word != "--yes"]
    done = _shell(f"valiza {shlex.join(order)} <&-", world.folder)
    assert done.code == 2
    assert "--yes" in done.hint
    assert not world.path("e.vlz").exists()


def test_without_stdin_nothing_is_read_from_it(tmp_path: Path) -> None:
    done = _shell("valiza inspect - <&-", tmp_path)
    assert done.code in {2, 7}
    assert "Traceback" not in done.err
    assert done.error


def test_without_stderr_a_command_still_works(world: World) -> None:
    world.seal()
    done = _shell("valiza verify envelope.vlz --home BY --json 2>&-", world.folder)
    assert (done.code, done.facts["verdict"]) == (0, "verified")


def _interrupted(words: list[str | Path], fifo: Path, number: signal.Signals, *, then: bytes = b"") -> Outcome:
    """Run a command that reads `fifo`, send it a signal when it has begun to read, then give it `then` and the end of the file."""
    os.mkfifo(fifo)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with fifo.open("wb", buffering=0) as pipe:  # returns when the reader has opened its end
            process.send_signal(number)
            if then:
                pipe.write(then)
            else:
                process.wait(60)
        out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_interrupted(number: signal.Signals, world: World) -> None:
    fifo = world.path("fifo")
    before = listing(world.folder)
    done = _interrupted([VALIZA, "open", fifo, "-o", world.path("opened"), "--home", world.by.home, "--as", "yanka"], fifo, number)
    assert_failed(done, 130)
    assert done.error == "interrupted"
    assert sorted({*before, str(fifo)}) == listing(world.folder)


def test_what_ignores_hangups_goes_on(tmp_path: Path) -> None:
    nohup = shutil.which("nohup")
    assert nohup is not None
    done = _interrupted([nohup, VALIZA, "inspect", tmp_path / "fifo"], tmp_path / "fifo", signal.SIGHUP, then=b"no object")
    assert done.code == 3
