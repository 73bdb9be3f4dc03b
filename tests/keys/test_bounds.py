"""Hostile objects of keys/: refused as malformed, before they cost more than their own bytes a few times over."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.bounds import MIB, at_most

from valiza.keys import labels
from valiza.keys.encoding import MAX_DEPTH, pack, unpack
from valiza.keys.errors import Malformed, ValizaError
from valiza.keys.keyfile import Argon2Cost, load_key, save_key
from valiza.keys.roster import MAX_CREDENTIALS, peek_roster, read_roster
from valiza.keys.signing import SigningKey
from valiza.keys.statement import LIMITS, SIGNATURE_BYTES, SignerHeader, read_statement

if TYPE_CHECKING:
    from pathlib import Path

HEADS: Final = {"arrays": b"\xdd\x00\x02\x00\x00", "maps": b"\xdf\x00\x02\x00\x00\xa0", "short arrays": b"\xdc\xff\xff", "arrays of one": b"\x91"}


@pytest.mark.parametrize("count", [17, 500, 1000, 1023, 1024, 1025, 100_000])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_heads_one_in_the_other_allocate_nothing(head: bytes, count: int) -> None:
    for tail in (b"", b"\xc0", bytes(100_000)):
        data = head * count + tail
        with at_most(1 + 3 * len(data) / MIB), pytest.raises(Malformed):
            unpack(data, max_bytes=1 << 26, what="it")


def test_nested_16_deep_and_no_deeper() -> None:
    assert unpack(b"\x91" * (MAX_DEPTH - 1) + b"\x90", max_bytes=100, what="it")
    with pytest.raises(Malformed):
        unpack(b"\x91" * MAX_DEPTH + b"\x90", max_bytes=100, what="it")


def roster_of(body: bytes) -> bytes:
    header = SignerHeader(role="roster", signer_digest=bytes(32), key_digest=bytes(32)).packed()
    return pack([labels.ROSTER, body, [[header, bytes(SIGNATURE_BYTES)]]])


@pytest.mark.slow
@pytest.mark.parametrize("credentials", [MAX_CREDENTIALS, MAX_CREDENTIALS + 1])
def test_the_greatest_roster_that_nobody_signed(credentials: int) -> None:
    """64 MiB, as it comes from a stranger: read a few times over, and refused."""
    left = LIMITS[labels.ROSTER] - 4096
    raw = roster_of(pack(["KZ", 1, 0, 1, [b"root"], [bytes(left // credentials - 5)] * credentials, [], [], {}]))
    assert LIMITS[labels.ROSTER] - 300_000 < len(raw) <= LIMITS[labels.ROSTER]
    for read in (lambda: peek_roster(raw), lambda: read_roster(raw, bytes(32)), lambda: read_statement(raw, *LIMITS)):
        with at_most(6 * 64):
            try:
                read()
            except ValizaError as error:
                assert error.outcome == "malformed"  # noqa: PT017 - one of them only reads the frame, and raises nothing


@pytest.mark.parametrize("size", [LIMITS[labels.CREDENTIAL] + 1, 1 << 20])
def test_too_long_a_statement_is_not_even_decoded(size: int) -> None:
    raw = bytes(size)
    with at_most(0.1), pytest.raises(Malformed, match="more than the limit"):
        read_statement(raw, labels.CREDENTIAL)


@pytest.mark.parametrize("cost", [(1, (1 << 20) + 1), (17, 8192), (1 << 60, 1 << 60), (1, 0), (0, 8192)])
def test_a_key_file_that_asks_for_too_much_is_refused_before_anybody_is_asked(tmp_path: Path, cost: tuple[int, int]) -> None:
    key = SigningKey(bytes(64))
    header = pack([labels.KEY_FILE, labels.KIND_SIGNATURE, key.public, ["argon2id13", *cost, bytes(16)]])
    path = tmp_path / "it.key"
    path.write_bytes(pack([labels.KEY_FILE, header, bytes(136)]))
    with at_most(1), pytest.raises(Malformed, match=r"passes|memory"):
        load_key(path, lambda: pytest.fail("a passphrase is asked for"))


UNLOCK: Final = """
import resource, sys
from pathlib import Path
from valiza.keys.errors import ValizaError
from valiza.keys.keyfile import load_key
import nacl.bindings
resource.setrlimit(resource.RLIMIT_AS, (768 << 20, 768 << 20))
try:
    load_key(Path(sys.argv[1]), lambda: "x")
except ValizaError as error:
    print(error.exit_code, error.message)
"""


def test_a_key_file_that_asks_for_more_memory_than_there_is(tmp_path: Path) -> None:
    """1 GiB is within the bounds, and more than this process may have."""
    path = tmp_path / "it.key"
    save_key(path, SigningKey(bytes(64)), passphrase="x", random=bytes, cost=Argon2Cost(1, 8192))
    kind, header, secret = unpack(path.read_bytes(), max_bytes=8192, what="it")
    items = unpack(header, max_bytes=8192, what="it")
    items[3][2] = 1 << 20
    path.chmod(0o600)
    path.write_bytes(pack([kind, pack(items), secret]))
    done = subprocess.run([sys.executable, "-c", UNLOCK, path], capture_output=True, text=True, check=False)
    assert done.stdout == "7 there is not enough memory for the key's passphrase: it asks for 1048576 KiB\n", done.stderr
