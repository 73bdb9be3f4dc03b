"""Defaults from files: who wins, what may be set, and what is refused."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click
import pytest
from tests.support.cli import World, fails, works

from valiza.cli.defaults import KEYS, user_file
from valiza.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

# Never to be a default: each would leave out a question or a check, change what a carrier is, or touch a secret.
NEVER: Final = (
    *("yes", "single", "unprotected", "passphrase", "passphrase-fd", "new-passphrase-fd", "mark", "addressee", "root", "roster", "decision"),
    *("conclusion", "contract", "confirmation", "output", "dry-run", "json", "all", "reason", "package", "purpose"),
)


@dataclass
class Files:
    """The user's file and the office's own."""

    world: World
    user: Path

    @property
    def office(self) -> Path:
        return self.world.kz.home / "defaults.toml"

    def write(self, user: str = "", office: str = "") -> None:
        """What stands in them; nothing: the file is not there."""
        for path, text in ((self.user, user), (self.office, office)):
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text, encoding="utf-8")
                path.chmod(0o600)


@pytest.fixture
def files(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Files:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "valiza").mkdir(parents=True)
    return Files(world, tmp_path / "config" / "valiza" / "config.toml")


def _shown(*words: str) -> dict[tuple[str, str], tuple[object, str]]:
    return {(row["command"], row["option"]): (row["value"], row["from"]) for row in works("config", "show", "--json", *words).facts["defaults"]}


# -- that they count -------------------------------------------------------------------------------------------------------


def test_sealing_with_almost_nothing_typed(files: Files) -> None:
    route = files.user.parent / "air.toml"
    route.write_text('channel = "courier"\ntransport = "air"\nescort = "courier"\n[[leg]]\nfrom = "Astana"\nto = "Minsk"\n', encoding="utf-8")
    files.write(
        f'home = "{files.world.kz.home}"\nas = "aigul"\n'
        '[seal]\nto = "BY-MFA"\nagreement = "kz-by"\nroute = "air.toml"\ndue = 14\nclassified-by = "KZ-MFA"\n'
    )
    out = files.world.path("e.vlz")
    given = ["--mark=3", "--decision=No. 12", "--conclusion=No. 7", "--purpose=exercise", "--yes", "--json"]
    facts = works("seal", files.world.carrier, *given, "-o", out).facts
    assert facts["marks"]["origin"] == "KZ:3"
    stamp = works("inspect", out, "--json").facts["read"]["stamp"]
    assert stamp["legs"] == ["Astana → Minsk"]
    works("register", "list")


def test_command_line_over_environment_over_office_over_user(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom `register show --manifest` is asked for is told by its error."""
    envelope = files.world.seal()

    def asked(*words: str) -> str:
        done = files.world.kz.fails(5, "register", "show", envelope, "--manifest", *words)
        return done.error

    files.write(user='as = "from-user"')
    assert "from-user" in asked()
    files.write(user='as = "from-user"', office='as = "from-office"')
    assert "from-office" in asked()
    monkeypatch.setenv("VALIZA_AS", "from-environment")
    assert "from-environment" in asked()
    assert "from-line" in asked("--as=from-line")


def test_default_of_a_command_over_that_of_all(files: Files) -> None:
    files.write(user='as = "anybody"\n[open]\nas = "yanka"\n')
    envelope = files.world.seal("--as=aigul")
    files.world.by.works("open", envelope, "-o", files.world.path("opened"))
    assert "anybody" in files.world.by.fails(5, "refuse", envelope, "--reason=other", "-o", files.world.path("r.vls")).error


def test_home_by_default_and_a_stranger_beside_it(files: Files) -> None:
    """What is given on the command line is meant: with --root and --roster no office is asked."""
    files.write(user=f'home = "{files.world.kz.home}"')
    envelope = files.world.seal()
    works("register", "list")
    works("verify", envelope, *files.world.strangers_trust)


def test_paths_are_relative_to_the_file(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(files.world.kz.home, files.user.parent / "kz")
    files.write(user='home = "kz"')
    monkeypatch.chdir("/")
    assert works("office", "show", "--json").facts["home"] == str(files.user.parent / "kz")


def test_home_of_the_user_is_understood(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(files.world.folder))
    files.write(user='home = "~/KZ"')
    works("office", "show")


def test_file_named_by_the_environment(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(user='as = "of-xdg"')
    other = files.world.path("other.toml")
    other.write_text(f'home = "{files.world.kz.home}"', encoding="utf-8")
    monkeypatch.setenv("VALIZA_CONFIG", str(other))
    works("office", "show")
    assert _shown() == {("", "--home"): (str(files.world.kz.home), str(other))}
    monkeypatch.setenv("VALIZA_CONFIG", "")
    assert _shown() == {}
    monkeypatch.setenv("VALIZA_CONFIG", str(files.world.path("missing.toml")))
    assert "VALIZA_CONFIG" in fails(7, "office", "show").hint


@pytest.mark.slow
def test_demo_takes_none(files: Files, tmp_path: Path) -> None:
    files.write(user='as = "nobody"\n[seal]\ndue = 1\n')
    works("demo", "--dir", tmp_path / "demo")


# -- shown -----------------------------------------------------------------------------------------------------------------


def test_show_says_where_each_comes_from(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(
        user=f'home = "{files.world.kz.home}"\nas = "u"\n[seal]\ndue = 14\nto = "BY-MFA"\n', office='[seal]\nto = "BY-MOD"\nkeep-for = ["aigul"]\n'
    )
    user, office = str(files.user), str(files.office)
    assert _shown() == {
        ("", "--home"): (str(files.world.kz.home), user),
        ("", "--as"): ("u", user),
        ("seal", "--to"): ("BY-MOD", office),
        ("seal", "--keep-for"): (["aigul"], office),
        ("seal", "--due"): (14, user),
    }
    monkeypatch.setenv("VALIZA_AS", "e")
    assert _shown()["", "--as"] == ("e", "VALIZA_AS")
    shown = works("config", "show").out
    assert f"seal --to BY-MOD  (from {office})" in shown
    assert "--as e  (from VALIZA_AS)" in shown


def test_show_without_any(files: Files) -> None:
    facts = works("config", "show", "--json").facts
    assert facts == {"user": str(files.user), "user_read": False, "office": None, "office_read": False, "defaults": []}
    assert works("config", "path").out == f"{files.user}\n"


def test_help_and_version_need_no_defaults(files: Files) -> None:
    files.write(user="nonsense")
    for words in (["--help"], ["--version"], ["seal", "--help"], ["config", "path"], ["completion", "bash"]):
        works(*words)


# -- refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", NEVER)
@pytest.mark.parametrize("section", ["", "[seal]\n", "[open]\n"])
def test_what_is_never_a_default(key: str, section: str, files: Files) -> None:
    for where in ("user", "office"):
        files.write(**{where: f"{section}{key} = true\n"})
        done = files.world.kz.fails(2, "register", "list")
        assert repr(key) in done.error
        assert str(getattr(files, where)) in done.error


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ('hom = "x"', "'hom'", "did you mean 'home'?"),
        ('[seal]\nagrement = "x"', "'agrement' of [seal]", "did you mean 'agreement'?"),
        ('agreement = "x"', "'agreement'", "below [seal]"),
        ('[sael]\nto = "x"', "[sael]", "did you mean 'seal'?"),
        ('[seal.deep]\nto = "x"', "'deep' of [seal]", "keys:"),
        ('[seal]\nhome = "x"', "'home' of [seal]", "keys:"),
        ("home = 7", "'home' is no path", ""),
        ('home = ""', "'home' is no path", ""),
        ("as = ['a']", "'as' is no text", ""),
        ('[seal]\ndue = "14"', "'due' of [seal] is no number", ""),
        ("[seal]\ndue = true", "'due' of [seal] is no number", ""),
        ('[seal]\nkeep-for = "a"', "'keep-for' of [seal] is no list of texts", ""),
        ("[seal]\nkeep-for = [1]", "'keep-for' of [seal] is no list of texts", ""),
        ("not toml", "is not TOML", ""),
        ("x = " + "[" * 5000, "is not TOML", ""),
        ("# " + "x" * 70_000, "longer than 65536 bytes", ""),
    ],
)
def test_wrong_key_or_value(text: str, said: str, hint: str, files: Files) -> None:
    files.write(user=text)
    done = fails(2, "office", "show")
    assert str(files.user) in done.error
    assert said in done.error
    assert hint in done.hint
    fails(2, "config", "show")


def test_home_cannot_be_said_inside_the_office(files: Files) -> None:
    files.write(office='home = "x"')
    assert "'home'" in files.world.kz.fails(2, "register", "list").error


def test_value_that_the_command_refuses(files: Files) -> None:
    files.write(user="[seal]\ndue = 99999")
    assert "'--due'" in files.world.kz.fails(2, *files.world.order("-o", files.world.path("e.vlz"))).error


def test_no_text(files: Files) -> None:
    files.user.write_bytes(b"as = '\xff'")
    assert "UTF-8" in fails(2, "office", "show").error


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("where", ["user", "office"])
def test_file_that_others_can_write(where: str, mode: int, files: Files) -> None:
    files.write(**{where: 'as = "x"'})
    path = getattr(files, where)
    path.chmod(mode)
    done = files.world.kz.fails(6, "register", "list")
    assert str(path) in done.error
    assert f"chmod go-w {path}" in done.hint
    path.chmod(0o644)
    files.world.kz.works("register", "list")


def test_file_of_another_user(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(user='as = "x"')
    if os.geteuid() == 0:
        os.chown(files.user, 12345, -1)
    else:  # nobody but root can give a file away
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    done = files.world.kz.fails(6, "register", "list")
    assert "another user" in done.error
    assert "chown" in done.hint


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file(kind: str, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "folder":
        files.user.mkdir()
    elif kind == "pipe":
        os.mkfifo(files.user)
    else:
        monkeypatch.setenv("VALIZA_CONFIG", "/dev/zero")
    assert "is no file" in fails(2, "office", "show").error


def test_terminal_is_safe_from_its_content(files: Files) -> None:
    files.write(user='"\\u001b[2J" = 1')
    done = fails(2, "office", "show")
    assert "\x1b" not in done.err


@pytest.mark.parametrize("named_by", ["--home", "VALIZA_HOME", "file"])
@pytest.mark.parametrize("kind", ["nothing", "empty folder", "file"])
def test_folder_that_is_no_office(kind: str, named_by: str, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says who named it."""
    folder = {"nothing": files.world.path("nowhere"), "empty folder": files.world.path("empty"), "file": files.world.carrier}[kind]
    if kind == "empty folder":
        folder.mkdir()
    if named_by == "VALIZA_HOME":
        monkeypatch.setenv("VALIZA_HOME", str(folder))
    elif named_by == "file":
        files.write(user=f'home = "{folder}"')
    chosen: list[str] = ["--home", str(folder)] if named_by == "--home" else []
    done = fails(2, "config", "show", *chosen)
    assert done.error == f"{str(folder)!r} is no office"
    assert done.hint.startswith(f"{files.user if named_by == 'file' else named_by} names it")


# -- the list of keys ------------------------------------------------------------------------------------------------------


def test_every_key_is_an_option_of_its_command() -> None:
    context = click.Context(cli)
    for command, keys in KEYS.items():
        if command:
            found = cli.get_command(context, command)
            assert found is not None
            options = {option: parameter for parameter in found.params for option in parameter.opts}
            assert {key: options[f"--{key}"].name for key in keys} == {key: name for key, (name, _) in keys.items()}


def test_list_is_closed() -> None:
    assert {key for keys in KEYS.values() for key in keys} & set(NEVER) == set()
    assert {key for keys in KEYS.values() for key in keys} == {
        *("home", "as", "to", "agreement", "route", "confirming", "keep-for", "classified-by", "ground", "due", "require-confirmation")
    }


@pytest.mark.parametrize(
    ("xdg", "home", "path"),
    [("/x", "/h", "/x/valiza/config.toml"), ("", "/h", "/h/.config/valiza/config.toml"), ("rel", "/h", "/h/.config/valiza/config.toml")],
)
def test_where_it_is_looked_for(xdg: str, home: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("HOME", home)
    assert str(user_file()) == path
