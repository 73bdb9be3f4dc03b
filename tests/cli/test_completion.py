"""Completion, in real shells: what they insert when a person types and presses a key."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, fails, found_world, listing, works

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import World

FISH: Final = shutil.which("fish")
SHELLS: Final = ("bash", "zsh", "fish")
# A key that inserts everything that could come next; zsh's is made of its own parts, as its manual says.
START: Final = {
    "bash": [r"""bind '"\C-x\C-a": insert-completions'"""],
    "zsh": [
        "autoload -Uz compinit && compinit -u -D",
        "zle -C all-matches complete-word _generic",
        "bindkey '^X^A' all-matches",
        "zstyle ':completion:all-matches:*' insert yes",
        "zstyle ':completion:all-matches::::' completer _all_matches _complete",
    ],
}


class Shell:
    """A shell in a pseudo-terminal, or asked by its own `complete -C`, with the script that the program prints."""

    def __init__(self, name: str, folder: Path, world: World) -> None:
        self.name = name
        self._folder = folder
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("VALIZA_")},
            "PATH": f"{VALIZA.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "TERM": "dumb",
            "PS1": "",
            "LC_ALL": "C.UTF-8",
            "KZ": str(world.kz.home),
        }
        self._terminal: Any = None

    def words(self, line: str) -> list[str]:
        """Every word of the line after all that could come next was inserted; for `complete -C` the candidates come last."""
        return self._asked(line) if self.name == "fish" else self._typed(line)

    def _asked(self, line: str) -> list[str]:
        script = 'valiza completion fish | source; complete -C "$LINE"'
        done = subprocess.run(
            [FISH or "fish", "--no-config", "-c", script],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**self.env, "LINE": line},
            cwd=self._folder,
        )
        assert done.stderr == ""
        before = line.rpartition(" ")[0].split(" ")
        return before + [one.split("\t")[0] for one in done.stdout.splitlines()]

    def _typed(self, line: str) -> list[str]:
        if self._terminal is None:
            options = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[self.name]
            self._terminal = pexpect.spawn(
                self.name, options, encoding="utf-8", timeout=60, env=self.env, cwd=str(self._folder), dimensions=(50, 2000)
            )
            for start in [*START[self.name], f"source <(valiza completion {self.name})", "echo star''ted"]:
                self._terminal.sendline(start)
            self._terminal.expect("started")
        self._terminal.send(line + "\x18\x01")
        self._terminal.sendline("\x01printf '<%s>' \x05 ; echo en''ded")
        self._terminal.expect(r"(?:<[^<>]*>)+ended")
        return re.findall(r"<([^<>]*)>", str(self._terminal.after))

    def close(self) -> None:
        """End it."""
        if self._terminal is not None:
            self._terminal.close(force=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A folder with files of every kind, and the offices."""
    world = found_world(tmp_path_factory.mktemp("completed"))
    folder = tmp_path_factory.mktemp("typed")
    for name in ("envelope.vlz", "roster.vls", "route.toml", "list.csv", "photo.png", "two words.vlz"):
        (folder / name).touch()
    (folder / "sub").mkdir()
    (folder / "sub" / "deep.vlz").touch()
    return folder, world


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in SHELLS])
def shell(request: pytest.FixtureRequest, place: tuple[Path, World]) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    made = Shell(request.param, *place)
    yield made
    made.close()


def test_command(shell: Shell) -> None:
    assert shell.words("valiza ackn") == ["valiza", "acknowledge"]
    assert shell.words("valiza re") == ["valiza", "revocation", "rewrap", "refuse", "receipt", "register"]


def test_every_command_in_the_order_of_the_work(shell: Shell) -> None:
    shown = shell.words("valiza ")[1:]
    assert shown[:4] == ["demo", "custodian", "root", "office"]
    assert {"seal", "open", "doctor", "completion"} <= set(shown)


def test_command_of_a_group(shell: Shell) -> None:
    assert shell.words("valiza roster ex") == ["valiza", "roster", "export"]
    assert shell.words("valiza agreement a") == ["valiza", "agreement", "adopt"]


def test_option(shell: Shell) -> None:
    assert shell.words("valiza roster publish --val") == ["valiza", "roster", "publish", "--validity"]
    assert {"--home", "--json", "--passphrase-fd"} <= set(shell.words("valiza roster publish --"))


def test_choice(shell: Shell) -> None:
    assert shell.words("valiza register list --direction ")[-2:] == ["in", "out"]


@pytest.mark.parametrize("option", ["--home $KZ", "--home HERE"])
def test_officer(option: str, shell: Shell, place: tuple[Path, World]) -> None:
    chosen = option.replace("HERE", str(place[1].kz.home))
    if shell.name == "fish" and "$" in option:
        return  # fish hands over what it knows, and `complete -C` knows no variable
    assert set(shell.words(f"valiza register show {chosen} --as ")[-3:]) == {"aigul", "dana", "sanzhar"}
    assert shell.words(f"valiza register show {chosen} --as d")[-1] == "dana"


def test_value_after_an_equals_sign(shell: Shell, place: tuple[Path, World]) -> None:
    shown = shell.words(f"valiza register show --home={place[1].kz.home} --as=d")
    assert shown[-1] == "--as=dana"


def test_agreement(shell: Shell, place: tuple[Path, World]) -> None:
    assert shell.words(f"valiza agreement terminate --home {place[1].kz.home} k")[-1] == "kz-by"


def test_what_sealing_needs(shell: Shell, place: tuple[Path, World]) -> None:
    seal = f"valiza seal --home {place[1].kz.home}"
    assert shell.words(f"{seal} --to ")[-1] == "BY-MFA"
    assert shell.words(f"{seal} --mark ")[-2:] == ["2", "3"]
    assert set(shell.words(f"{seal} --mark 3 --channel ")[7:]) >= {"courier", "diplomatic"}
    assert shell.words(f"{seal} --escort co")[-1] == "courier"
    assert shell.words(f"{seal} --addressee M")[-1] == "Maryna Bor"
    assert {word.rstrip("/") for word in shell.words(f"{seal} --route ")[5:]} == {"route.toml", "sub"}


def test_nothing_where_no_office_is_known(shell: Shell) -> None:
    assert shell.words("valiza register show --as q") in (["valiza", "register", "show", "--as", "q"], ["valiza", "register", "show", "--as"])


def test_files_that_fit(shell: Shell) -> None:
    shown = shell.words("valiza roster import ro")
    assert shown == ["valiza", "roster", "import", "roster.vls"]
    assert {word.rstrip("/") for word in shell.words("valiza agreement check ")[3:]} == {"kz-by", "roster.vls", "route.toml", "sub"}


def test_folders(shell: Shell) -> None:
    assert shell.words("valiza register list --home ")[-1] in {"sub", "sub/"}


def test_file_name_with_a_space(shell: Shell) -> None:
    assert shell.words("valiza inspect two")[-1] == "two words.vlz"


def test_file_in_a_folder(shell: Shell) -> None:
    assert shell.words("valiza inspect sub/d")[-1] == "sub/deep.vlz"


def test_office_by_default(shell: Shell, place: tuple[Path, World]) -> None:
    settings = place[0] / ".config" / "valiza" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f'home = "{place[1].kz.home}"\n', encoding="utf-8")
    try:
        assert shell.words("valiza register show --as a")[-1] == "aigul"
    finally:
        settings.unlink()


@pytest.mark.parametrize(
    "line",
    [
        "valiza register show --home /nowhere --as ",
        "valiza no-such-command --x ",
        "valiza register list --direction 'unfinished ",
        "valiza register show --home HERE --as ",
    ],
)
def test_no_error_in_the_prompt(line: str, place: tuple[Path, World], tmp_path: Path) -> None:
    """Whatever is broken, the shell is told nothing, and nothing is said."""
    office = tmp_path / "broken"
    shutil.copytree(place[1].kz.home, office)
    for path in office.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\xff\x00 broken")
    (office / "defaults.toml").write_text("nonsense", encoding="utf-8")
    before = listing(office)
    words = line.replace("HERE", str(office))
    env = {**os.environ, "_VALIZA_COMPLETE": "bash_complete", "COMP_WORDS": words.replace(" ", "\n"), "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([VALIZA], env=env, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.stderr == b""
    assert listing(office) == before


@pytest.mark.parametrize("variables", [{}, {"COMP_WORDS": "valiza"}, {"COMP_WORDS": "valiza", "COMP_CWORD": "x"}])
@pytest.mark.parametrize("instruction", ["bash_complete", "zsh_complete", "fish_complete", "csh_complete", "", "x"])
def test_shell_that_asks_for_nonsense(instruction: str, variables: dict[str, str]) -> None:
    done = subprocess.run([VALIZA], env={**os.environ, "_VALIZA_COMPLETE": instruction, **variables}, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


def test_office_is_not_touched(place: tuple[Path, World]) -> None:
    """Not even what an interrupted command left, which every other command removes; nor is a log made beside the register."""
    home = place[1].kz.home
    left = home / f".valiza-{16 * 'a'}"
    left.write_bytes(b"")
    before = {str(path): path.stat().st_mtime_ns for path in home.rglob("*")}
    for option in ("--as", "--home"):
        words = f"valiza\nregister\nshow\n--home\n{home}\n{option}\n"
        env = {**os.environ, "_VALIZA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "6"}
        subprocess.run([VALIZA], env=env, capture_output=True, check=True, timeout=60)
    assert {str(path): path.stat().st_mtime_ns for path in home.rglob("*")} == before
    left.unlink()


@pytest.mark.parametrize("name", SHELLS)
def test_script_is_printed(name: str) -> None:
    assert "_VALIZA_COMPLETE" in works("completion", name).out


def test_unknown_shell() -> None:
    assert "bash" in fails(2, "completion", "csh").error
