"""What a log of ours says, verified by others' code: a program in Go (independent.go) with x/mod's note and tlog and Go's own signatures."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import found_world

from valiza.keys.fields import Body
from valiza.keys.log_key import LogSigningKey, LogVerifyKey
from valiza.register import merkle, note, proof
from valiza.register.note import Checkpoint, Note, SignedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., str]

pytestmark = pytest.mark.slow

AT: Final = 1772442000
OURS, THEIRS = Body("KZ", "KZ-MFA"), Body("BY", "BY-MFA")
ORIGIN: Final = note.log_origin(OURS, hashlib.sha256(b"agreement").digest())
LOG, OFFICE = LogSigningKey(bytes([1]) * 64), LogSigningKey(bytes([2]) * 64)
LEAVES: Final = [b"leaf %d" % index for index in range(21)]


class Tree:
    def __init__(self) -> None:
        self.hashes: dict[merkle.Position, bytes] = {}
        for index, leaf in enumerate(LEAVES):
            hashed = merkle.leaf_hash(leaf)
            self.hashes[0, index] = hashed
            self.hashes.update(merkle.arising(index, hashed, self))

    def __call__(self, wanted: Sequence[merkle.Position]) -> list[bytes]:
        return [self.hashes[position] for position in wanted]

    def cosigned(self, size: int) -> SignedCheckpoint:
        signed = note.sign_checkpoint(Checkpoint(ORIGIN, size, merkle.root(size, self)), LOG, AT + size)
        return note.verify_checkpoint(note.cosign(signed, THEIRS, OFFICE, AT + size), ORIGIN, [LogVerifyKey(LOG.public)])


TREE: Final = Tree()
HEAD, OLD = TREE.cosigned(21), TREE.cosigned(13)
VKEYS: Final = [*note.vkeys(ORIGIN, LogVerifyKey(LOG.public)), *note.vkeys(note.office_name(THEIRS), LogVerifyKey(OFFICE.public))]
PROOF: Final = proof.Proof(8, tuple(merkle.inclusion_proof(8, 21, TREE)), HEAD.raw)
REQUEST: Final = proof.Request(13, tuple(merkle.consistency_proof(13, 21, TREE)), HEAD.raw)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the program over files with these contents. Returns what it printed; raises CalledProcessError when it refuses."""
    go = shutil.which("go", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    root = Path(subprocess.check_output([go, "env", "GOROOT"], text=True).strip()) if go else Path()
    if go is None or not (root / "src" / "crypto" / "mldsa").is_dir():
        pytest.skip("no Go 1.27 or later: make .venv/.go")
    folder = tmp_path_factory.mktemp("independent")
    (folder / "path" / "src" / "golang.org" / "x").mkdir(parents=True)
    (folder / "path" / "src" / "golang.org" / "x" / "mod").symlink_to(root / "src" / "cmd" / "vendor" / "golang.org" / "x" / "mod")
    settings = {
        "GO111MODULE": "off",
        "GOPATH": str(folder / "path"),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    program = folder / "program"
    subprocess.run([go, "build", "-o", program, Path(__file__).with_name("independent.go")], check=True, env=os.environ | settings)
    shutil.rmtree(folder / "cache")

    def called(vkeys: Sequence[str], *contents: bytes, more: Sequence[str] = ()) -> str:
        paths = [folder / str(number) for number in range(len(contents) + 1)]
        for path, content in zip(paths, ["\n".join(vkeys).encode(), *contents], strict=True):
            path.write_bytes(content)
        return subprocess.run([program, *paths, *more], check=True, capture_output=True, text=True).stdout

    return called


def refused(run: Run, vkeys: Sequence[str], *contents: bytes, more: Sequence[str] = ()) -> str:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(vkeys, *contents, more=more)
    assert caught.value.returncode == 1
    return str(caught.value.stderr)


def test_checkpoint_and_cosignature(run: Run) -> None:
    assert run(VKEYS, HEAD.raw) == f"{ORIGIN}: 21 leaves, 4 signatures\n"
    for vkey in VKEYS:
        assert run([vkey], HEAD.raw) == f"{ORIGIN}: 21 leaves, 1 signatures\n"


@pytest.mark.parametrize("index", range(4))
def test_each_signature_is_really_verified(run: Run, index: int) -> None:
    found = note.read_note(HEAD.raw)
    line = found.lines[index]
    broken = note.SignatureLine(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    spoilt = Note(found.text, (*found.lines[:index], broken, *found.lines[index + 1 :])).format()
    assert "invalid signature" in refused(run, [VKEYS[index]], spoilt)
    later = Note(TREE.cosigned(20).checkpoint.text, found.lines).format()
    assert "invalid signature" in refused(run, [VKEYS[index]], later)


def test_proofs_of_inclusion(run: Run) -> None:
    for index in (0, 8, 15, 16, 19, 20):
        data = proof.Proof(index, tuple(merkle.inclusion_proof(index, 21, TREE)), HEAD.raw).format()
        assert run(VKEYS, data, LEAVES[index]).endswith(f"leaf {index} is in it\n")
    assert "invalid" in refused(run, VKEYS, PROOF.format(), LEAVES[9])
    assert "invalid" in refused(run, VKEYS, proof.Proof(9, PROOF.hashes, HEAD.raw).format(), LEAVES[8])


def test_a_request_to_cosign(run: Run) -> None:
    assert run(VKEYS, REQUEST.format(), OLD.raw, more=["old"]).endswith("it goes on from 13 leaves\n")
    assert "invalid" in refused(run, VKEYS, proof.Request(13, REQUEST.hashes[::-1], HEAD.raw).format(), OLD.raw, more=["old"])


def test_what_the_commands_write(run: Run, tmp_path: Path) -> None:
    """Two offices: one signs its log and proves what is in it, the other cosigns; nothing but files goes to the program."""
    world = found_world(tmp_path / "world")
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    names = ("first", "first.cosigned", "proofs", "second", "second.cosigned")
    first, cosigned, proofs, second, again = (world.path(name) for name in names)
    log, office = (
        [vkey for vkey in one.works("register", "heads", "--vkeys").out.split() if vkey.startswith(f"valiza/v1/{kind}/")]
        for one, kind in ((world.kz, "log"), (world.by, "office"))
    )
    for request, answer in ((first, cosigned), (second, again)):
        world.kz.works("register", "checkpoint", "--for=BY-MFA", "-o", request)
        world.by.works("register", "cosign", request, "-o", answer)
        world.kz.works("register", "import", answer)
        if answer == cosigned:
            world.kz.works("register", "prove", envelope, "-o", proofs)
            world.seal(name="another.vlz")
    origin = log[0].partition("+")[0]
    assert run([*log, *office], cosigned.read_bytes()) == f"{origin}: 3 leaves, 4 signatures\n"
    assert run(log, second.read_bytes(), cosigned.read_bytes(), more=["old"]).endswith("it goes on from 3 leaves\n")
    found = sorted(proofs.glob("*.tlog-proof"))
    assert len(found) == 2
    for proved in found:
        assert run([*log, *office], proved.read_bytes(), proved.with_suffix(".leaf").read_bytes()).endswith("is in it\n")
    assert "invalid" in refused(run, log, found[0].read_bytes(), found[1].with_suffix(".leaf").read_bytes())
