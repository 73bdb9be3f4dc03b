"""Ceremonies from one end to the other, interrupted and answered wrongly in every place where that can be."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.ceremony import (
    CUSTODIANS,
    START,
    TOOL,
    Scene,
    body_request,
    certified_body,
    compromise,
    first_root,
    grant,
    later_root,
    named,
    new_body,
    new_root,
    old,
    on_the_table,
    recovery,
    root_before,
    shares_of,
)
from tests.support.keys import signing_key, subject

from valiza.keys import labels
from valiza.keys.credential import check_credential
from valiza.keys.encoding import unpack
from valiza.keys.errors import Incomplete, Malformed, NoKey, NotAuthentic, Refused, Usage, ValizaError
from valiza.keys.keyfile import load_key, public_part
from valiza.keys.realm import Realm
from valiza.keys.revocation import check_revocation
from valiza.keys.root import read_root, require_succession
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.ceremony.plan import read_plan
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.running import lead
from valiza.office.ceremony.script import attestations, script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def rotation(table: Path) -> Scene:
    """One leaves, one comes, one keeps his key, one renews it."""
    return later_root(table, [old("aliya"), old("bolat", "new"), old("dana", "none"), named("erlan")])


def replacement(table: Path) -> Scene:
    """Dana lost her key, and gets another one."""
    return later_root(table, [old("aliya"), old("bolat"), old("dana", "new", lost=True)], kind="replacement")


def sealed_recovery(table: Path) -> Scene:
    return recovery(table, passphrase="backup-passphrase of dana")


def with_dice(table: Path) -> Scene:
    return first_root(table, entropy=("dice", "keyboard"))


SCENES: Final[dict[str, Callable[[Path], Scene]]] = {
    "new-root": first_root,
    "dice": with_dice,
    "rotation": rotation,
    "replacement": replacement,
    "new-body": new_body,
    "compromise": compromise,
    "recovery": recovery,
    "sealed": sealed_recovery,
}
EACH: Final = pytest.mark.parametrize("make", SCENES.values(), ids=SCENES.keys())


# -- to the end -----------------------------------------------------------------------------------------------------------


def test_a_first_root(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    people = scene.people()
    done = scene.lead(people)
    root = read_root(done.statements["root"])
    assert (root.party, root.version, root.threshold, root.degrees, root.names) == ("KZ", 1, 2, ("1", "2", "3"), {"en": "Kazakhstan"})
    assert {c.names["en"]: c.key.raw for c in root.custodians} == {
        name.capitalize(): public_part(tmp_path / f"{name}.key").public for name in ("aliya", "bolat")
    }
    assert done.transcript.signed_by == {"aliya", "bolat", "wanda"}
    assert (scene.folder / "root.vls").read_bytes() == root.raw
    assert verify_transcript((scene.folder / "transcript.vls").read_bytes()).statements == {"root": root.raw}
    assert [name for name, again in people.done if not again] == [one.id for one in (*script(done.plan), *attestations(done.plan))]
    assert ("draft.root", "fingerprint", root.fingerprint) in people.heard


def test_next_version_of_a_root(tmp_path: Path) -> None:
    done = rotation(tmp_path).lead()
    root = read_root(done.statements["root"])
    require_succession(root, root_before())
    assert {c.names["en"] for c in root.custodians} == {"Aliya", "Bolat", "Erlan"}
    before = {c.id: c.key.raw for c in root_before().custodians}
    after = {c.id: c.key.raw for c in root.custodians}
    assert after[subject("aliya")] == before[subject("aliya")]
    assert after[subject("bolat")] != before[subject("bolat")]
    assert done.transcript.signed_by == {"aliya", "bolat", "dana", "erlan", "wanda"}
    assert done.roots == (root_before().fingerprint, root.fingerprint)


def test_a_new_body(tmp_path: Path) -> None:
    done = new_body(tmp_path).lead()
    certify, roster = (
        check_credential(read_statement(done.statements[name], labels.CREDENTIAL), root_before()) for name in ("credential-1", "credential-2")
    )
    assert (certify.purpose, roster.purpose, certify.subject) == ("certify", "roster", roster.subject)
    assert (str(certify.body), certify.names, certify.clearance, certify.certifies_bodies) == ("KZ/KZ-MFA", {"en": "Foreign Ministry"}, "1", True)
    assert certify.verify_key.raw == signing_key("KZ-MFA certify").public
    assert done.transcript.signed_by == {"aliya", "bolat", "wanda"}


@pytest.mark.parametrize(("days", "said"), [(-91, "more than 90 days ago"), (2, "in the future"), (-89, None), (0, None)])
def test_a_request_is_good_for_ninety_days(days: int, said: str | None, tmp_path: Path) -> None:
    inputs = {"root.vls": root_before().raw, "mfa.vls": body_request(made_at=START + days * 86400).raw}
    scene = new_body(tmp_path, inputs=inputs)
    if said is None:
        scene.lead().require_complete()
        return
    with pytest.raises(Refused, match=said):
        scene.lead()


def test_one_request_in_two_files_is_one_subject(tmp_path: Path) -> None:
    raw = body_request().raw
    inputs = {"root.vls": root_before().raw, "mfa.vls": raw, "mfb.vls": raw}
    done = new_body(tmp_path, inputs=inputs, grants=[grant(), grant("roster", request="mfb.vls")]).lead()
    made = [check_credential(read_statement(done.statements[f"credential-{number}"], labels.CREDENTIAL), root_before()) for number in (1, 2)]
    assert [one.purpose for one in made] == ["certify", "roster"]
    assert made[0].subject == made[1].subject


def test_a_compromise(tmp_path: Path) -> None:
    """The root revokes first, then certifies anew."""
    done = compromise(tmp_path).lead()
    revoked = check_revocation(read_statement(done.statements["revocation-1"], labels.REVOCATION), root_before())
    assert (revoked.credential, revoked.kind, revoked.reason, revoked.number, revoked.series) == (
        certified_body().digest,
        "compromised",
        "stolen",
        1,
        None,
    )
    (draft,) = [one for one in done.transcript.said.steps if (one.name, one.about) == ("draft", "revocation-1")]
    assert revoked.issued_at == revoked.effective_at == draft.began_at
    again = check_credential(read_statement(done.statements["credential-1"], labels.CREDENTIAL), root_before())
    assert (again.subject, again.verify_key.raw) == (certified_body().subject, signing_key("KZ-MFA anew").public)


@pytest.mark.parametrize("make", [recovery, sealed_recovery], ids=["open", "sealed"])
def test_a_recovered_key(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    scene = make(tmp_path)
    done = scene.lead()
    key = load_key(tmp_path / "dana.key", lambda: "passphrase of dana")
    assert key.seed == signing_key("dana").seed
    assert done.statements == {}
    assert done.transcript.signed_by == {"dana", "wanda"}
    (step,) = [one for one in done.transcript.said.steps if one.name == "recover"]
    assert step.answers == (("source", "recovered"), ("share", "boris 1"), ("share", "vera 3"), ("heard", "yes"))
    words = {word for share in scene.shares.values() for word in [share.encode()]}
    assert [word for word in words if word in done.transcript.raw] == []


def test_replaced_key(tmp_path: Path) -> None:
    root = read_root(replacement(tmp_path).lead().statements["root"])
    require_succession(root, root_before())
    assert {c.id for c in root.custodians} == {subject(name) for name in CUSTODIANS}


@pytest.mark.slow
@EACH
def test_a_rehearsal_goes_the_same_way(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    """With the very same plan; and the keys of nobody."""
    for name in ("meant", "practised"):
        (tmp_path / name).mkdir()
    scene = make(tmp_path / "meant")
    meant = scene.people()
    scene.lead(meant)
    again = Scene(table=tmp_path / "practised", plan=scene.plan, inputs=scene.inputs, roots=scene.roots, realm=Realm.REHEARSAL)
    people = again.people()
    done = again.lead(people)
    assert [step for step, _ in people.done] == [step for step, _ in meant.done]
    asked = [(step, what) for step, what, _ in meant.asked if what not in {"share", "backup-passphrase"}]  # a rehearsal recovers nothing
    assert [(step, what) for step, what, _ in people.asked] == asked
    for raw in done.statements.values():
        type_ = unpack(raw, max_bytes=1 << 20, what="it")[0]
        assert type_.startswith("valiza/rehearsal/")
        with pytest.raises(Malformed, match="statement type"):
            read_statement(raw, *LIMITS)
    with pytest.raises(ValizaError, match="statement type"):
        verify_transcript(done.transcript.raw)


@EACH
def test_nothing_secret_is_left_in_the_folder(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    scene = make(tmp_path)
    drawn: list[bytes] = []
    random = scene.random

    def remembered(size: int) -> bytes:
        drawn.append(random(size))
        return drawn[-1]

    scene.random = remembered
    people = scene.people()
    scene.lead(people)
    secrets = [seed[at : at + 32] for seed in drawn if len(seed) == 64 for at in (0, 32)]
    secrets += [secret.encode() for secret in people.secrets]
    assert len(secrets) > 2
    kept = [path.read_bytes() for path in scene.folder.rglob("*") if path.is_file()]
    assert [secret for secret in secrets for data in kept if secret in data] == []
    assert [oct(path.stat().st_mode & 0o777) for path in (scene.folder, *tmp_path.glob("*.key"))] == ["0o700"] + ["0o600"] * len(
        list(tmp_path.glob("*.key"))
    )


# -- interrupted ----------------------------------------------------------------------------------------------------------


class Unplugged(BaseException):
    """Somebody pulled the plug."""


def questions(make: Callable[[Path], Scene], table: Path) -> list[tuple[str, str, str]]:
    """Every question of a ceremony that goes well."""
    table.mkdir()
    scene = make(table)
    people = scene.people()
    scene.lead(people)
    return people.asked


def _before(every: list[tuple[str, str, str]], number: int) -> list[None]:
    """As many right answers as the same question got before in the same step."""
    return [None] * every[:number].count(every[number])


@pytest.mark.slow
@EACH
def test_whatever_question_it_is_interrupted_at_it_goes_on_there(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    every = questions(make, tmp_path / "whole")
    for number, (step, what, _) in enumerate(every):
        table = tmp_path / str(number)
        table.mkdir()
        scene = make(table)
        before = on_the_table(scene)
        with pytest.raises(Unplugged):
            scene.lead(scene.people(changed={(step, what): [*_before(every, number), Unplugged()]}))
        finished = [name for name, _ in _finished(scene)]
        assert step not in finished
        people = scene.people()
        done = scene.lead(people)
        assert [name for name, again in people.done if again] == finished, "what was done is not done again"
        assert people.asked[0][0] == step
        assert len(done.transcript.said.sittings) == (1 if step.startswith("attest") else 2)
        assert set(on_the_table(scene)) - set(before) == _made(scene)


def _finished(scene: Scene) -> list[tuple[str, bool]]:
    plan = read_plan(scene.plan)
    return [(step.id, True) for step, _ in zip((*script(plan), *attestations(plan)), scene.open().steps(), strict=False)]


def _made(scene: Scene) -> set[str]:
    """Names of the key files that a ceremony leaves on the table."""
    return {f"{one.id}.key" for one in read_plan(scene.plan).people if one.key in {"new", "recover"}}


@EACH
def test_a_complete_ceremony_is_not_led_again(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    scene = make(tmp_path)
    first = scene.lead()
    people = scene.people()
    assert scene.lead(people).transcript == first.transcript
    assert people.asked == []


# -- answered wrongly -----------------------------------------------------------------------------------------------------

WRONG: Final[dict[str, list[tuple[str, type[ValizaError]]]]] = {
    "confirm": [("no", Refused), ("", Usage), ("y", Usage), ("perhaps", Usage)],
    "value": [("0" * 64, NotAuthentic), ("", Usage), ("3f5a", Usage), ("no digest", Usage)],
    "new-file": [("", Usage), ("{there}", Refused), ("{nowhere}", ValizaError), ("a\0b", Usage)],
    "file": [("", Usage), ("{there}", ValizaError), ("{nowhere}", ValizaError), ("a\0b", Usage)],
    "new-passphrase": [("", Usage), ("\udcff", Usage)],
    "passphrase": [("", NoKey), ("wrong", NoKey), ("\udcff", Usage)],
    "entropy": [("", Usage), ("123456", Usage), ("7" * 120 + "\x00" * 5000, Usage)],
    "share": [("", Malformed), ("academic " * 59, Malformed), ("{boris}", ValizaError), ("{vera}", ValizaError), ("{another}", Refused)],
    "text": [("x" * 1001, ValizaError), ("a\nb", Usage), ("\u202e", Usage)],
}


@pytest.mark.slow
@EACH
def test_every_wrong_answer_stops_the_step_and_nothing_is_left_of_it(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    every = questions(make, tmp_path / "whole")
    assert {kind for _, _, kind in every} <= set(WRONG)
    tried = 0
    for number, (step, what, kind) in enumerate(every):
        table = tmp_path / str(number)
        table.mkdir()
        scene = make(table)
        (table / "there").write_bytes(b"something else")
        for given, error in WRONG[kind]:
            before = on_the_table(scene)
            words = {"there": table / "there", "nowhere": table / "no" / "folder", "another": shares_of("aliya")[0], **scene.shares}
            wrong = given.format(**words) if "{" in given else given
            if kind == "share" and wrong == list(scene.shares.values())[len(_before(every, number))]:
                continue  # it is the right one
            with pytest.raises(error):
                scene.lead(scene.people(changed={(step, what): [*_before(every, number), wrong]}))
            stood = {name: data for name, data in on_the_table(scene).items() if name in before}
            assert stood == before
            assert step not in [name for name, _ in _finished(scene)]
            tried += 1
        done = scene.lead()
        assert done.missing == ()
        assert set(on_the_table(scene)) - {"there"} >= _made(scene)
    assert tried > 30


@pytest.mark.slow
@EACH
def test_people_may_try_again_and_are_told_what_was_wrong(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    every = questions(make, tmp_path / "whole")
    (tmp_path / "again").mkdir()
    scene = make(tmp_path / "again")
    changed: dict[tuple[str, str], Any] = {(step, what): ["", ""] for step, what, kind in every if kind != "text"}
    people = scene.people(changed=changed, unattended=False)
    if any(what == "fingerprint" for _, what, _ in every):
        with pytest.raises(ValizaError):  # a person cannot say that it was shown: he has to read it back
            scene.lead(people)
    else:
        assert scene.lead(people).missing == ()
    assert len(people.told) > 6


def test_what_people_read_back_is_compared(tmp_path: Path) -> None:
    """At a terminal the fingerprint is typed, all of it."""
    scene = first_root(tmp_path)
    people = scene.people(unattended=False)
    with pytest.raises(Usage):
        scene.lead(people)
    fingerprint = next(value for step, what, value in people.heard if (step, what) == ("draft.root", "fingerprint"))
    for wrong in ("shown", fingerprint[:-1], fingerprint[:32]):
        with pytest.raises(Usage):
            scene.lead(scene.people(unattended=False, changed={("draft.root", "fingerprint"): wrong}))
    with pytest.raises(NotAuthentic):
        scene.lead(
            scene.people(
                unattended=False, changed={("draft.root", "fingerprint"): "0" + fingerprint[1:] if fingerprint[0] != "0" else "1" + fingerprint[1:]}
            )
        )
    grouped = " ".join(fingerprint[at : at + 4].upper() for at in range(0, 64, 4))
    done = scene.lead(scene.people(unattended=False, changed={("draft.root", "fingerprint"): grouped}))
    (draft,) = [one for one in done.transcript.said.steps if one.name == "draft"]
    assert draft.answers == (("fingerprint", "read back"),)


# -- what cannot go on ----------------------------------------------------------------------------------------------------


def test_no_answer_leaves_the_ceremony_incomplete(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    with pytest.raises(Incomplete):
        scene.lead(scene.people(changed={("key.bolat", "file"): Incomplete("nobody answers")}))
    assert scene.lead().missing == ()


def test_a_clock_that_runs_back(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    with pytest.raises(Unplugged):
        scene.lead(scene.people(changed={("draft.root", "fingerprint"): Unplugged()}))
    scene.clock.at -= 3600
    with pytest.raises(Refused, match="clock"):
        scene.lead()


def test_another_program_does_not_go_on(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    with pytest.raises(Refused, match="another program"):
        lead(scene.open(), scene.people(), scene.tools, dataclasses.replace(TOOL, code=bytes(32)))


def test_two_programs_do_not_lead_one_ceremony(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    with scene.open().locked(), pytest.raises(Refused, match="another program leads"):
        scene.lead()


def test_program_of_the_plan(tmp_path: Path) -> None:
    assert first_root(tmp_path, code=bytes(range(32))) is not None
    with pytest.raises(Refused, match="another one than the plan was made for"):
        first_root(tmp_path, code=bytes(range(32))).lead()


def test_a_folder_that_somebody_changed(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    with pytest.raises(Unplugged):
        scene.lead(scene.people(changed={("close", "remark"): Unplugged()}))
    steps = sorted((scene.folder / "steps").iterdir())
    kept = {path: path.read_bytes() for path in steps}
    for one, other in itertools.pairwise(steps):
        one.write_bytes(kept[other])
        with pytest.raises(ValizaError):
            scene.lead()
        one.write_bytes(kept[one])
    steps[3].unlink()
    with pytest.raises(ValizaError, match="holes"):
        scene.lead()
    steps[3].write_bytes(kept[steps[3]])
    assert scene.lead().missing == ()


def test_threshold_of_those_who_are_there(tmp_path: Path) -> None:
    with pytest.raises(ValizaError, match="needs 3"):
        first_root(tmp_path, new_root=new_root(3))
