"""The logs of two registers: signed, cosigned, proved, and what becomes of one that was rewritten, cut or restored from an older backup."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import works

from valiza.keys.encoding import unpack
from valiza.keys.fields import Body
from valiza.register.entry import FIRST_LINK, Entry, link
from valiza.register.merkle import Frontier, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cli import Office, World


def ask(world: World, name: str = "kz", *extra: str) -> Path:
    """A request of Kazakhstan's office that the other one cosigns its head."""
    request = world.path(f"{name}.request")
    world.kz.works("register", "checkpoint", "--for", "BY-MFA", *extra, "-o", request)
    return request


def cosigned(world: World, name: str = "kz") -> Path:
    """Kazakhstan's head, cosigned by the other office and taken in again."""
    answer = world.path(f"{name}.cosigned")
    world.by.works("register", "cosign", ask(world, name), "-o", answer)
    world.kz.works("register", "import", answer)
    return answer


def checkpoint(office: Office) -> None:
    office.works("register", "checkpoint")


def holds(office: Office) -> bool:
    return bool(office.works("register", "verify", "--json").facts["holds"])


def wrong(office: Office) -> list[str]:
    """What is wrong with a register."""
    done = office.run("register", "verify", "--json")
    assert done.code == 4, done.err
    return [finding["message"] for finding in done.facts["findings"]]


def rewritten(office: Office, *statements: str) -> None:
    """The register, after somebody with SQLite and no scruples was at it."""
    gc.collect()
    with closing(sqlite3.connect(office.home / "register.db", isolation_level=None)) as register:
        for (trigger,) in register.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            register.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            register.execute(statement)


# -- signing and cosigning ------------------------------------------------------------------------------------------------


def test_head_is_signed_cosigned_and_taken_in(world: World) -> None:
    world.seal()
    cosigned(world)
    found = world.kz.works("register", "verify", "--json").facts
    (log,) = found["logs"]
    assert (found["holds"], log["entries"], log["covered"]) == (True, 2, {"own": 2, "cosigned": 2})
    assert [head["kind"] for head in found["heads"]] == ["own", "cosigned"]
    (given,) = world.by.works("register", "heads", "--json").facts["heads"]
    assert (given["kind"], given["body"], given["entries"]) == ("given", "KZ/KZ-MFA", 2)


def test_checkpoint_where_nothing_was_entered_since_is_the_same(world: World) -> None:
    world.seal()
    first, second = (world.kz.works("register", "checkpoint", "--json").facts for _ in range(2))
    assert first == second
    assert len(first["checkpoints"]) == 1


def test_register_without_an_entry_has_nothing_to_sign(world: World) -> None:
    assert world.kz.works("register", "checkpoint", "--json").facts["checkpoints"] == []
    assert holds(world.kz)
    assert world.kz.run("register", "checkpoint", "--agreement", "kz-by").code == 6


def test_who_has_no_key_of_a_register_signs_none(world: World) -> None:
    world.seal()
    assert world.kz.run("register", "checkpoint", "--as", "aigul").code == 5


def test_office_does_not_cosign_its_own_log(world: World) -> None:
    world.seal()
    request = ask(world)
    done = world.kz.run("register", "cosign", request, "-o", world.path("own"))
    assert (done.code, world.path("own").exists()) == (6, False)


def test_answer_that_was_lost_is_given_again(world: World) -> None:
    world.seal()
    request = ask(world)
    answers = [world.path(name) for name in ("one", "two")]
    for answer in answers:
        world.by.works("register", "cosign", request, "-o", answer)
    assert answers[0].read_bytes() == answers[1].read_bytes()


def test_of_heads_on_their_way_one_waits_to_be_cosigned_before_the_next_is_kept(world: World) -> None:
    for name in ("first", "second", "third"):
        world.seal(name=f"{name}.vlz")
        checkpoint(world.kz)
    envelopes = [world.path(f"{name}.vlz") for name in ("second", "third")]
    seen, waits = [world.by.works("open", path, "-o", world.path(path.stem), "--as=yanka", "--json").facts["heads"][0] for path in envelopes]
    assert [seen["kind"], waits["kind"]] == ["seen", "unusable"]
    assert (
        "it is of 4 entries, and nothing shows that it goes on from the 2 of one that waits to be cosigned; valiza register cosign"
        in waits["message"]
    )
    asked = world.by.run("register", "cosign", ask(world), "-o", world.path("never"))
    assert (asked.code, "valiza register checkpoint --for BODY --from 2 -o FILE" in asked.hint) == (6, True)
    world.by.works("register", "cosign", ask(world, "again", "--from", "2"), "-o", world.path("cosigned"))
    assert world.kz.works("register", "import", world.path("cosigned"), "--json").facts["entries"] == 6


def test_head_that_was_sent_before_the_last_cosignature_came_back_waits_for_a_later_one(world: World) -> None:
    """Its proof does not begin at what was cosigned here meanwhile: that stops no cron, and the next one does."""
    world.seal()
    request, answer = ask(world), world.path("answer")
    world.seal(name="second.vlz")
    checkpoint(world.kz)
    sent = world.seal(name="third.vlz")
    world.by.works("register", "cosign", request, "-o", answer)
    world.open(sent)
    assert world.by.works("register", "cosign", "--seen", "--json").facts["cosigned"] == []
    world.kz.works("register", "import", answer)
    checkpoint(world.kz)
    world.open(world.seal(name="fourth.vlz"), name="opened again")
    (done,) = world.by.works("register", "cosign", "--seen", "--json").facts["cosigned"]
    assert done["entries"] == 6


def test_longer_log_goes_on_from_what_was_cosigned(world: World) -> None:
    world.seal()
    cosigned(world)
    world.seal(name="second.vlz")
    request = ask(world, "second")
    assert request.read_bytes().startswith(b"old 2\n")
    world.by.works("register", "cosign", request)
    done = world.by.run("register", "cosign", ask(world, "third", "--from", "0"))
    assert done.code in {0, 6}, "the same head again, or from where nobody asked"
    world.seal(name="third.vlz")
    done = world.by.run("register", "cosign", ask(world, "fourth", "--from", "1"))
    assert (done.code, "ask for a consistency proof from 4" in done.err) == (6, True)


@pytest.mark.parametrize("what", ["request", "cosigned"])
def test_changed_byte_is_refused(what: str, world: World) -> None:
    world.seal()
    request, answer = ask(world), world.path("answer")
    if what == "cosigned":
        world.by.works("register", "cosign", request, "-o", answer)
    path = request if what == "request" else answer
    good = path.read_bytes()
    for at in range(0, len(good), 97):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        done = world.by.run("register", "cosign", path, "-o", world.path("other")) if what == "request" else world.kz.run("register", "import", path)
        assert done.code in {3, 4, 6}, f"byte {at}: {done.err}"
        assert not world.path("other").exists()


def test_head_nobody_of_the_other_party_cosigned_is_not_taken_in(world: World) -> None:
    world.seal()
    note = ask(world).read_bytes().partition(b"\n\n")[2]
    world.path("bare").write_bytes(note)
    assert world.kz.run("register", "import", world.path("bare")).code == 4


# -- what travels ---------------------------------------------------------------------------------------------------------


def test_heads_travel_with_envelope_and_receipt(world: World) -> None:
    """Nobody sends a file for it: a checkpoint goes with the second envelope, its cosignature comes with the receipt."""
    world.seal(name="first.vlz")
    checkpoint(world.kz)
    envelope = world.seal()
    world.open(envelope)
    assert [head["kind"] for head in world.by.works("register", "heads", "--json").facts["heads"]] == ["seen"]
    world.by.works("register", "cosign", "--seen")
    checkpoint(world.by)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    done = world.kz.works("receipt", "verify", receipt, "--json")
    assert done.facts["verdict"] == "delivered"
    heads = world.kz.works("register", "heads", "--json").facts["heads"]
    assert {(head["kind"], head["body"]) for head in heads} == {("own", "KZ/KZ-MFA"), ("cosigned", "BY/BY-MFA"), ("seen", "BY/BY-MFA")}
    assert world.by.works("register", "cosign", "--seen", "--json").facts["cosigned"] == []
    assert len(world.kz.works("register", "cosign", "--seen", "--json").facts["cosigned"]) == 1


def test_each_of_several_receipts_tells_of_the_head_that_all_of_them_bring(world: World) -> None:
    envelopes = [world.seal(name=f"{name}.vlz") for name in ("one", "other")]
    for envelope in envelopes:
        world.open(envelope, name=f"{envelope.stem}-opened")
    answers = [world.acknowledge(envelope, name=f"{envelope.stem}.ack.vls") for envelope in envelopes]
    checkpoint(world.by)
    receipts = [world.countersign(*pair, name=f"{pair[1].stem}.receipt.vls") for pair in zip(answers, envelopes, strict=True)]
    receipts.append(receipts[0])
    told = [json.loads(line) for line in world.kz.works("receipt", "verify", *receipts, "--json").out.splitlines()]
    assert [(one["verdict"], one["duplicate"]) for one in told] == [("delivered", False), ("delivered", False), ("delivered", True)]
    news = [one["heads"] for one in told]
    assert [[head["kind"] for head in heads] for heads in news] == [["seen"]] * 3
    assert len(world.kz.works("register", "heads", "--json").facts["heads"]) == 1


def test_without_a_checkpoint_nothing_travels(world: World) -> None:
    envelope, _, receipt = world.exchange()
    assert works("inspect", envelope, "--json").facts["read"]["attachments"] == []
    world.kz.works("receipt", "verify", receipt)
    assert world.kz.works("register", "heads", "--json").facts["heads"] == []


# -- what was rewritten is found ------------------------------------------------------------------------------------------

CHANGES = {
    "a note changed": ("UPDATE entry SET note = note || ' ' WHERE seq = 2",),
    "a statement changed": ("UPDATE entry SET statement = x'00' WHERE seq = 2",),
    "a record changed": ("UPDATE entry SET record = x'00' WHERE seq = 2",),
    "a blind changed": ("UPDATE entry SET blind = x'00112233445566778899aabbccddeeff' WHERE seq = 2",),
    "a time changed": ("UPDATE entry SET at = at + 1 WHERE seq = 2",),
    "a direction changed": ("UPDATE entry SET direction = 'in' WHERE seq = 2",),
    "the first removed": ("DELETE FROM entry WHERE seq = 1",),
    "one removed": ("DELETE FROM entry WHERE seq = 2",),
    "the last removed": ("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",),
    "all removed": ("DELETE FROM entry", "DELETE FROM node"),
    "two swapped": ("UPDATE entry SET seq = -1 * seq WHERE seq IN (2, 3)", "UPDATE entry SET seq = 5 + seq WHERE seq < 0"),
    "moved to the end": ("UPDATE entry SET seq = 100 WHERE seq = 2",),
    "one put in": (
        "INSERT INTO entry SELECT 100, at, 'conflict', direction, number, agreement, 100, origin_party, origin_body, envelope_id, dispatch_digest,"
        " note, statement, record, blind, leaf_hash, x'" + 64 * "e" + "', x'" + 64 * "1" + "' FROM entry WHERE seq = 2",
    ),
    "a node changed": ("UPDATE node SET hash = x'" + 64 * "0" + "'",),
    "a node removed": ("DELETE FROM node",),
    "a node put in": ("INSERT INTO node SELECT agreement, 7, 0, hash FROM node LIMIT 1",),
    "an own head changed": ("UPDATE head SET size = 1 WHERE kind = 'own'",),
    "an own head of another note": ("UPDATE head SET note = x'00' WHERE kind = 'own'",),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_found(change: str, world: World) -> None:
    for number in range(2):
        world.seal(name=f"{number}.vlz")
    checkpoint(world.kz)
    assert holds(world.kz)
    statements = CHANGES[change]
    if change == "two swapped":
        statements = ("UPDATE entry SET seq = seq + 1000 WHERE seq IN (2, 3)", "UPDATE entry SET seq = 1005 - seq WHERE seq > 1000")
    rewritten(world.kz, "PRAGMA ignore_check_constraints = ON", *statements)
    assert wrong(world.kz)


def rehashed(office: Office) -> None:
    """Write every hash anew, as somebody would who knows how the register is made: leaves, chain and tree."""
    gc.collect()
    with closing(sqlite3.connect(office.home / "register.db", isolation_level=None)) as register:
        register.row_factory = sqlite3.Row
        rows = register.execute("SELECT * FROM entry ORDER BY seq").fetchall()
        register.execute("DELETE FROM entry")
        register.execute("DELETE FROM node")
        before, tree = FIRST_LINK, Frontier()
        for place, row in enumerate(rows):
            said = dict(row)
            origin = Body(said.pop("origin_party"), said.pop("origin_body"))
            for name in ("leaf_hash", "previous", "link"):
                said.pop(name)
            entry = Entry(**{**said, "seq": place + 1, "place": place}, origin=origin)
            hashed = leaf_hash(entry.leaf())
            values = dict(row) | {"seq": place + 1, "place": place, "leaf_hash": hashed, "previous": before, "link": link(before, hashed)}
            register.execute(f"INSERT INTO entry VALUES ({', '.join('?' * len(values))})", list(values.values()))  # noqa: S608 - question marks
            for (level, node), over in tree.append(hashed):
                register.execute("INSERT INTO node VALUES (?, ?, ?, ?)", [entry.agreement, level, node, over])
            before = values["link"]


def test_register_that_was_rewritten_with_all_its_hashes_is_found_by_its_own_checkpoint(world: World) -> None:
    for number in range(2):
        world.seal(name=f"{number}.vlz")
    checkpoint(world.kz)
    rewritten(world.kz, "DELETE FROM entry WHERE kind = 'sealed' AND seq > 2")
    rehashed(world.kz)
    assert any("is not the one of which this office signed" in said or "went back" in said for said in wrong(world.kz))


def test_register_that_was_rewritten_with_its_own_key_is_found_by_the_other_side(world: World) -> None:
    """Who has the office and its key of the register can make everything fit, but for what the other side cosigned and keeps."""
    for number in range(2):
        world.seal(name=f"{number}.vlz")
    answer = cosigned(world)
    rewritten(world.kz, "DELETE FROM head", "UPDATE entry SET note = '1' WHERE kind = 'sealed' AND seq = 2")
    rehashed(world.kz)
    assert holds(world.kz), "nothing here tells"
    checkpoint(world.kz)
    assert "is not the one of which BY/BY-MFA has seen" in world.kz.fails(4, "register", "import", answer).error
    world.seal(name="third.vlz")
    request = ask(world, "rewritten", "--from", "4")
    done = world.by.run("register", "cosign", request, "-o", world.path("never"))
    assert (done.code, world.path("never").exists()) == (4, False)
    with closing(sqlite3.connect(world.by.home / "register.db")) as register:
        (row,) = register.execute("SELECT statement FROM entry WHERE kind = 'log-conflict'").fetchall()
    kept = unpack(row[0], max_bytes=1 << 20, what="evidence")
    assert isinstance(kept, list)
    assert len(kept) == 3, "what it is, and both heads"


def test_register_that_was_rewritten_behind_a_head_that_was_only_seen_is_not_cosigned(world: World) -> None:
    """Nobody had cosigned the first head yet; what goes on must go on from it all the same."""
    world.seal(name="first.vlz")
    checkpoint(world.kz)
    world.open(world.seal(), name="opened")
    before = world.by.works("register", "heads", "--json").facts["heads"]
    assert [(head["kind"], head["entries"]) for head in before] == [("seen", 2)]
    rewritten(world.kz, "DELETE FROM head", "UPDATE entry SET note = '1' WHERE seq = 2")
    rehashed(world.kz)
    checkpoint(world.kz)
    world.open(world.seal(name="second.vlz"), name="opened again")
    assert world.by.works("register", "heads", "--json").facts["heads"] == before
    done = world.by.run("register", "cosign", ask(world, "any", "--from", "2"), "-o", world.path("never"))
    assert (done.code, world.path("never").exists()) == (4, False)
    assert world.by.run("register", "cosign", ask(world, "none", "--from", "0")).code == 6
    assert [head["entries"] for head in world.by.works("register", "cosign", "--seen", "--json").facts["cosigned"]] == [2]


def test_head_from_the_future_is_neither_cosigned_nor_kept(world: World, travel: Callable[[int], None]) -> None:
    """After it every honest head would seem a rollback."""
    world.seal(name="first.vlz")
    travel(3 * 86400)
    request = ask(world)
    travel(0)
    done = world.by.run("register", "cosign", request, "-o", world.path("never"))
    assert (done.code, "in the future" in done.err, world.path("never").exists()) == (6, True, False)
    world.seal(name="second.vlz")
    assert "in the future" in world.kz.fails(6, "register", "checkpoint").error


def test_head_of_a_key_that_is_no_longer_in_force_is_not_cosigned(world: World, travel: Callable[[int], None]) -> None:
    """Whoever stole it dates back."""
    world.seal()
    request = ask(world)
    travel(5)
    world.kz.works("revocation", "make", "sanzhar:register", "--kind", "retired", "--reason", "lost", "--yes")
    travel(10)
    roster = world.path("KZ-2.vls")
    world.kz.works("roster", "publish", "-o", roster)
    world.by.works("roster", "import", roster, "--yes")
    done = world.by.run("register", "cosign", request, "-o", world.path("never"))
    assert (done.code, "was retired" in done.err, world.path("never").exists()) == (6, True, False)


def test_register_restored_from_an_older_backup_is_told_by_the_other_side(world: World) -> None:
    world.seal()
    checkpoint(world.kz)
    gc.collect()
    backup = world.path("backup.db")
    with closing(sqlite3.connect(world.kz.home / "register.db")) as register, closing(sqlite3.connect(backup)) as copy:
        register.backup(copy)
    world.seal(name="lost.vlz")
    answer = cosigned(world)
    gc.collect()
    for ending in ("-wal", "-shm"):
        (world.kz.home / f"register.db{ending}").unlink(missing_ok=True)
    shutil.copy(backup, world.kz.home / "register.db")
    assert holds(world.kz), "an older register is a good one"
    done = world.kz.run("register", "import", answer)
    assert done.code == 6
    assert "went back" in done.err
    assert "restore the newest backup" in done.err
    assert any("went back" in said for said in wrong(world.kz)), "it is remembered"


# -- proofs ---------------------------------------------------------------------------------------------------------------


def test_proof_is_checked_with_hashlib_alone(world: World) -> None:
    """RFC 9162, 2.1.3.2, written out once more: what a stranger would do with leaf, proof and checkpoint."""
    for number in range(2):
        world.seal(name=f"{number}.vlz")
    envelope = world.seal()
    cosigned(world)
    folder = world.path("proofs")
    world.kz.works("register", "prove", envelope, "-o", folder)
    (leaf,) = folder.glob("*-sealed.leaf")
    lines = leaf.with_suffix(".tlog-proof").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    place = int(lines[1].removeprefix("index "))
    end = lines.index("")
    hashes = [base64.b64decode(line) for line in lines[2:end]]
    size, root = int(lines[end + 2]), base64.b64decode(lines[end + 3])
    found, last = hashlib.sha256(b"\0" + leaf.read_bytes()).digest(), size - 1
    for other in hashes:
        if place & 1 or place == last:
            found = hashlib.sha256(b"\1" + other + found).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + other).digest()
        place, last = place >> 1, last >> 1
    assert found == root


def test_before_a_checkpoint_there_is_no_proof(world: World) -> None:
    envelope = world.seal()
    assert world.kz.run("register", "prove", envelope, "-o", world.path("proofs")).code == 6
    assert not world.path("proofs").exists()


def test_keys_are_shown_as_other_tools_take_them(world: World) -> None:
    world.seal()
    keys = world.kz.works("register", "heads", "--vkeys", "--json").facts["vkeys"]
    assert len(keys) == 4
    for key in keys:
        name, key_id, coded = key.split("+", 2)
        data = base64.b64decode(coded)
        assert key_id == hashlib.sha256(f"{name}\n".encode() + data).hexdigest()[:8]


# -- what is written ------------------------------------------------------------------------------------------------------


def writing(world: World) -> dict[str, tuple[Office, list[str | Path]]]:
    """Every command of this page that writes a file, in its order of the work."""
    world.seal()
    return {
        "checkpoint": (world.kz, ["register", "checkpoint"]),
        "cosign": (world.by, ["register", "cosign", ask(world, "first")]),
        "prove": (world.kz, ["register", "prove", world.path("envelope.vlz")]),
    }


@pytest.mark.parametrize("command", ["checkpoint", "cosign", "prove"])
def test_output_that_exists_or_cannot_be(command: str, world: World) -> None:
    office, words = writing(world)[command]
    there = world.path("there")
    there.write_bytes(b"mine")
    assert office.run(*words, "-o", there).code == 6
    assert there.read_bytes() == b"mine"
    assert office.run(*words, "-o", world.path("missing") / "out").code == 7
    office.works(*words, "-o", world.path("new"))


@pytest.mark.parametrize("content", [b"", b"old 0\n", b"\xff" * 100, b"old 0\n\n" + b"x" * 300_000], ids=["empty", "cut", "no text", "huge"])
@pytest.mark.parametrize("command", ["cosign", "import"])
def test_what_is_no_note(command: str, content: bytes, world: World) -> None:
    path = world.path("note")
    path.write_bytes(content)
    done = world.by.run("register", command, path)
    assert done.code == 3, done.err
