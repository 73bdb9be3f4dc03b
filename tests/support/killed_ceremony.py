"""A ceremony, killed before every thing that it does to the disk: `python -m tests.support.killed_ceremony KIND FOLDER lead|void [EVERY]`.

With EVERY it is killed before each so-manieth thing only, from the first. A process of its own, because it forks: a killed child cleans nothing up,
just as after `kill -9`. Afterwards the ceremony is gone on with, or declared void, by the parent. Writes how many things there were; what is not as
it must be is an AssertionError.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from tests.support.ceremony import START, Clock, Scene, compromise, first_root, later_root, named, new_body, new_root, old, on_the_table, recovery
from tests.support.keys import counting

from valiza.keys import files
from valiza.keys.errors import Refused, ValizaError
from valiza.keys.keyfile import public_part
from valiza.office.ceremony.folder import Folder
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.voiding import declare_void

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLED: Final = 137
CALLS: Final = ("open", "fsync", "link", "mkdir", "rename", "unlink", "rmdir")


def small(table: Path) -> Scene:
    return first_root(table, custodians=[named("aliya")], new_root=new_root(1), entropy=("dice",))


def rotation(table: Path) -> Scene:
    return later_root(table, [old("aliya"), old("bolat", "new"), old("dana", "none")], threshold=1)


SCENES: Final[dict[str, Callable[[Path], Scene]]] = {
    "new-root": small,
    "rotation": rotation,
    "new-body": new_body,
    "compromise": compromise,
    "recovery": recovery,
}


class Counter:
    """Counts what is done to the disk; at the wanted place the process is no more."""

    def __init__(self, last: int | None) -> None:
        self.last = last
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.last:
            os._exit(KILLED)

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.step()
            return function(*arguments, **options)

        return call


@contextmanager
def counted(last: int | None) -> Iterator[Counter]:
    """With every call that changes a disk counted, and death before the last one."""
    counter = Counter(last)
    patches = [patch.object(os, name, counter.counted(getattr(os, name))) for name in CALLS]
    patches += [patch.object(fcntl, "flock", counter.counted(fcntl.flock)), patch.object(files, "_write_all", counter.counted(files._write_all))]
    for one in patches:
        one.start()
    try:
        yield counter
    finally:
        for one in patches:
            one.stop()


def killed(act: Callable[[], object], last: int) -> bool:
    """Do something in a child that is killed before its so-manieth change; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            with counted(last):
                act()
        except BaseException:  # noqa: BLE001 - told by the exit code
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, KILLED}, code
    return code == KILLED


def scene_in(kind: str, folder: Path) -> Scene:
    folder.mkdir()
    scene = SCENES[kind](folder)
    scene.clock, scene.random = Clock(), counting("first")
    return scene


def whole(kind: str, folder: Path) -> tuple[set[bytes], int]:
    """What is secret when nothing is killed, and how many changes there are."""
    scene = scene_in(kind, folder)
    drawn: list[bytes] = []
    source = scene.random

    def remembered(size: int) -> bytes:
        drawn.append(source(size))
        return drawn[-1]

    scene.random = remembered
    people = scene.people()
    with counted(None) as counter:
        scene.lead(people)
    secrets = {half for seed in drawn if len(seed) == 64 for half in (seed[:32], seed[32:])} | {secret.encode() for secret in people.secrets}
    assert secrets
    shutil.rmtree(folder)
    return secrets, counter.count


def check_left(scene: Scene, secrets: set[bytes]) -> None:
    """What a killed ceremony leaves is a folder that can be read, and no secret."""
    for path in scene.table.rglob("*"):
        if path.is_file() and path.suffix != ".key":
            data = path.read_bytes()
            assert not any(secret in data for secret in secrets), f"a secret in {path}"


def check_gone_on_with(scene: Scene, before: dict[str, bytes]) -> None:
    if not scene.folder.exists():
        files.sweep(scene.table)  # as the command does before it makes the folder
    scene.clock, scene.random = Clock(START + 10_000), counting("second")
    done = scene.lead()
    assert done.missing == ()
    raw = (scene.folder / "transcript.vls").read_bytes()
    assert verify_transcript(raw, scene.realm).statements == done.statements
    keys = {result for one in done.transcript.said.steps for what, result in one.results if what == "key"}
    for name in set(on_the_table(scene)) - set(before):
        public = public_part(scene.table / name, scene.realm).public
        assert any(public in key for key in keys), f"{name} is a key that nothing refers to"
    _no_rest(scene)


def check_void(scene: Scene, before: dict[str, bytes]) -> None:
    if not scene.folder.exists():
        return
    folder = Folder(scene.folder)
    if folder.complete() is not None:
        return
    try:
        done = declare_void(folder, "killed", scene.people(), scene.tools)
    except Refused as error:
        assert "a quorum has signed" in error.message  # noqa: PT017 - no test function
        check_gone_on_with(scene, before)
        return
    assert done.missing == ()
    assert on_the_table(scene) == before, "a key of a void ceremony lives on"
    assert list((scene.folder / "steps").iterdir()) == []
    try:
        scene.lead()
    except ValizaError as error:
        assert "void" in error.message  # noqa: PT017 - no test function
    else:
        raise AssertionError
    _no_rest(scene)


def _no_rest(scene: Scene) -> None:
    assert list(scene.table.rglob(".valiza-*")) == [], "something unfinished is left"


def main(kind: str, folder: Path, how: str, every: int = 1) -> None:
    secrets, changes = whole(kind, folder / "whole")
    for last in range(1, changes + 1, every):
        scene = scene_in(kind, folder / f"{how}-{last}")
        before = on_the_table(scene)
        assert killed(scene.lead, last), last
        try:
            check_left(scene, secrets)
            {"lead": check_gone_on_with, "void": check_void}[how](scene, before)
        except (AssertionError, ValizaError) as error:
            message = f"{kind}, killed before change {last} of {changes}: {error}"
            raise AssertionError(message) from error
        shutil.rmtree(scene.table)
    sys.stdout.write(f"{changes}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
