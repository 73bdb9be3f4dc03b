"""Void ceremonies: whatever was made is removed, nobody goes on, and what is told is signed by whoever will."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.ceremony import Scene, compromise, first_root, key_path, later_root, named, old, on_the_table, recovery

from valiza.keys import labels
from valiza.keys.encoding import unpack
from valiza.keys.errors import Incomplete, NoKey, Refused
from valiza.keys.realm import Realm
from valiza.keys.statement import read_statement
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.script import script
from valiza.office.ceremony.voiding import VOID, declare_void

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.ceremony import People

    from valiza.office.ceremony.voiding import Voided


class Unplugged(BaseException):
    """Somebody pulled the plug."""


def rotation(table: Path) -> Scene:
    return later_root(table, [old("aliya"), old("bolat", "new"), old("dana", "none"), named("erlan")])


def three_of_whom_two(table: Path) -> Scene:
    return first_root(table, custodians=[named("aliya"), named("bolat"), named("dana")])


EACH: Final = pytest.mark.parametrize("make", [first_root, rotation, compromise, recovery], ids=["new-root", "rotation", "compromise", "recovery"])


def interrupted(scene: Scene, step: str, what: str) -> Scene:
    with pytest.raises(Unplugged):
        scene.lead(scene.people(changed={(step, what): Unplugged()}))
    return scene


def void(scene: Scene, people: People | None = None, reason: str = "a stranger came in") -> Voided:
    return declare_void(scene.open(), reason, people or scene.people(), scene.tools)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def valid(scene: Scene) -> bool:
    """Whether a quorum's signatures lie in the folder: counted here by who has to sign, and not by reading them together."""
    signers: dict[str, set[str]] = {}
    for record, _ in scene.open().steps():
        if record.name in {"sign", "sign-previous"}:
            about = record.about or ""
            for _, packed in record.results:
                header = unpack(unpack(packed, max_bytes=1 << 14, what="signature")[0], max_bytes=1 << 14, what="header")
                signers.setdefault(about, set()).add(f"{header[1].hex()} {record.participant}")
    for about, found in signers.items():
        names = [one.split()[0] for one in found]
        quorums = 2 if about == "root" and scene.roots else 1
        if len([name for name in set(names) if names.count(name) >= 2]) == quorums:
            return True
    return False


def questions(make: Callable[[Path], Scene], table: Path) -> list[tuple[str, str, str]]:
    table.mkdir()
    scene = make(table)
    people = scene.people()
    scene.lead(people)
    return people.asked


@pytest.mark.slow
@EACH
def test_wherever_it_stopped_nothing_that_it_made_lives_on(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    every = questions(make, tmp_path / "whole")
    signed, refused = set(), 0
    for number, (step, what, _) in enumerate(every):
        table = tmp_path / str(number)
        table.mkdir()
        scene = make(table)
        before = on_the_table(scene)
        earlier = every[:number].count(every[number])
        with pytest.raises(Unplugged):
            scene.lead(scene.people(changed={(step, what): [*[None] * earlier, Unplugged()]}))
        had = len(scene.open().steps())
        if valid(scene):
            unchanged = everything(scene.folder)
            with pytest.raises(Refused, match="a quorum has signed"):
                void(scene)
            assert everything(scene.folder) == unchanged
            scene.lead()
            refused += 1
            continue
        done = void(scene)
        assert on_the_table(scene) == before, "the keys that were brought are there, those that were made are not"
        assert done.missing == ()
        assert list((scene.folder / "steps").iterdir()) == []
        signed.add(len(done.signed_by))
        with pytest.raises(Refused, match="void"):
            scene.lead()
        if done.signed_by:
            raw = (scene.folder / VOID).read_bytes()
            found = verify_transcript(raw)
            assert set(done.signed_by) == found.transcript.signed_by
            assert len(found.transcript.said.steps) == min(had, len(script(found.plan)))
            assert found.statements == {}
            assert {name for one in found.transcript.said.steps for name, _ in one.results} <= {"key", "person"}
            with pytest.raises(Incomplete, match="a stranger came in"):
                found.require_complete()
        else:
            assert not (scene.folder / VOID).exists()
    assert len(signed) > 2, "early nobody has a key to sign with, late all have"
    assert (refused > 0) is (make is not recovery)


def test_who_does_not_sign(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    done = void(scene, scene.people(changed={("void.aliya", "sign"): "no"}))
    assert done.signed_by == ("bolat", "wanda")
    assert verify_transcript((scene.folder / VOID).read_bytes()).transcript.signed_by == {"bolat", "wanda"}


def test_nobody_signs(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    done = void(scene, scene.people(changed={(f"void.{name}", "sign"): "no" for name in ("aliya", "bolat", "wanda")}))
    assert done.signed_by == ()
    assert len(done.removed) == 3
    assert not (scene.folder / VOID).exists()


@pytest.mark.parametrize("where", [("void.aliya", "sign"), ("void.bolat", "passphrase"), ("void.wanda", "sign")])
def test_interrupted_it_is_void_all_the_same(where: tuple[str, str], tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "sign.root.bolat", "sign")
    with pytest.raises(Unplugged):
        void(scene, scene.people(changed={where: Unplugged()}))
    with pytest.raises(Refused, match="void"):
        scene.lead()
    people = scene.people()
    done = void(scene, people, "another reason")
    assert (done.reason, done.signed_by) == ("a stranger came in", ("aliya", "bolat", "wanda"))
    assert where[0] in {step for step, _, _ in people.asked}
    assert on_the_table(scene) == {}


def test_a_wrong_passphrase(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    with pytest.raises(NoKey):
        void(scene, scene.people(changed={("void.aliya", "passphrase"): "wrong"}))
    assert void(scene).signed_by == ("aliya", "bolat", "wanda")


def test_again_changes_nothing(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    first = void(scene)
    raw = (scene.folder / VOID).read_bytes()
    again = void(scene)
    assert (again.signed_by, again.removed) == (first.signed_by, ())
    assert (scene.folder / VOID).read_bytes() == raw


def test_a_complete_ceremony_is_not_void(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    scene.lead()
    before = on_the_table(scene)
    with pytest.raises(Refused, match="complete"):
        void(scene)
    assert on_the_table(scene) == before


def test_a_medium_that_is_not_there(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    scene = first_root(tmp_path)
    answers = {("key.aliya", "file"): str(stick / "aliya.key"), ("draft.root", "fingerprint"): Unplugged()}
    with pytest.raises(Unplugged):
        scene.lead(scene.people(changed=answers))
    away = stick.rename(tmp_path / "away")
    done = void(scene, scene.people(changed={("void.aliya", "sign"): "no"}))
    assert done.missing == (stick / "aliya.key",)
    assert (away / "aliya.key").exists()
    away.rename(stick)
    assert void(scene).removed == (stick / "aliya.key",)
    assert list(stick.iterdir()) == []


def test_another_file_in_the_place_of_a_key_stays(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    shutil.copy(key_path(tmp_path, "bolat", None), tmp_path / "aliya.key")
    key_path(tmp_path, "wanda", None).write_bytes(b"a letter")
    done = void(scene, scene.people(changed={(f"void.{name}", "sign"): "no" for name in ("aliya", "wanda")}))
    assert done.removed == (tmp_path / "bolat.key",)
    assert set(on_the_table(scene)) == {"aliya.key", "wanda.key"}


def test_a_folder_that_somebody_changed_is_void_with_nothing_told(tmp_path: Path) -> None:
    scene = interrupted(first_root(tmp_path), "draft.root", "fingerprint")
    (scene.folder / "steps" / "0002").write_bytes(b"x")
    done = void(scene)
    assert done.signed_by == ()
    assert len(done.removed) == 3
    assert on_the_table(scene) == {}


def test_nothing_that_custodians_signed_is_left(tmp_path: Path) -> None:
    """Neither in the folder nor in the transcript."""
    scene = interrupted(first_root(tmp_path), "sign.root.bolat", "sign")
    signature = unpack(scene.open().steps()[-1][0].results[0][1], max_bytes=1 << 14, what="signature")[1]
    assert [path for path in scene.folder.rglob("*") if path.is_file() and signature in path.read_bytes()] != []
    void(scene)
    assert [path for path in scene.folder.rglob("*") if path.is_file() and signature in path.read_bytes()] == []
    raw = (scene.folder / VOID).read_bytes()
    assert b"signature" not in read_statement(raw, labels.TRANSCRIPT).body


# -- what a quorum has signed ---------------------------------------------------------------------------------------------

SIGNED: Final = {
    "a first root": (first_root, ("close", "remark")),
    "a rotation": (rotation, ("close", "remark")),
    "a transcript is not signed": (rotation, ("attest.wanda", "sign")),
    "the first of two statements": (compromise, ("draft.credential-1", "fingerprint")),
    "not by all, but by enough": (three_of_whom_two, ("sign.root.dana", "sign")),
}


@pytest.mark.parametrize(("make", "where"), SIGNED.values(), ids=SIGNED.keys())
def test_what_a_quorum_has_signed_is_not_void(make: Callable[[Path], Scene], where: tuple[str, str], tmp_path: Path) -> None:
    """Whoever took a copy of the folder has a root, or a credential, that every reader takes: so it is gone on with."""
    scene = interrupted(make(tmp_path), *where)
    before = everything(tmp_path)
    people = scene.people()
    with pytest.raises(Refused, match="a quorum has signed"):
        void(scene, people)
    assert people.asked == []
    assert everything(tmp_path) == before
    scene.lead().require_complete()


def test_one_quorum_of_two_is_not_enough(tmp_path: Path) -> None:
    """All who were custodians before signed; in the name of the new root there is one."""
    scene = interrupted(later_root(tmp_path, [old("aliya"), old("bolat", "none"), old("dana", "none"), named("erlan")]), "sign.root.erlan", "sign")
    assert len(void(scene).removed) == 2


def test_a_rehearsal_is_void_whenever_it_is_declared(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    scene.realm = Realm.REHEARSAL
    interrupted(scene, "close", "remark")
    assert len(void(scene).removed) == 3
