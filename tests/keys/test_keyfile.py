"""Key files: what is saved is loaded, and only that, only with its passphrase, and at no cost that the file chooses."""

from __future__ import annotations

import os
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from nacl.pwhash import argon2id
from tests.support.keys import counting, flipped, identity, log_key, signing_key
from tests.support.signers import external_key

from valiza.keys import keyfile, labels
from valiza.keys.digests import derive
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NoKey, Refused, Unavailable, ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.keyfile import Argon2Cost, load_key, public_part, save_key
from valiza.keys.realm import Realm
from valiza.keys.signing import SigningKey, VerifyKey

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.keyfile import PrivateKey

CHEAP: Final = Argon2Cost(passes=1, memory_kib=8192)
SIGNING: Final = signing_key("officer seal")
OPENING: Final = identity("officer")
EXTERNAL: Final = external_key("--key", "one")
LOG: Final = log_key("officer")
EACH: Final = pytest.mark.parametrize("key", [SIGNING, OPENING, EXTERNAL, LOG], ids=["signing", "opening", "external", "log"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.key"


@pytest.fixture
def cheap_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of Argon2id a digest of the same inputs, for tests that load hundreds of times."""

    def derived(passphrase: str, salt: bytes, cost: Argon2Cost) -> bytes:
        return derive("test", passphrase, salt, cost.passes, cost.memory_kib)

    monkeypatch.setattr(keyfile, "stretch", derived)


def save(path: Path, key: PrivateKey, passphrase: str | None = None) -> None:
    save_key(path, key, passphrase=passphrase, random=counting(), cost=CHEAP)


def nobody() -> NoReturn:
    pytest.fail("a passphrase is asked for")


def header_of(path: Path) -> list[Any]:
    _, header, _ = unpack(path.read_bytes(), max_bytes=8192, what="it")
    found: list[Any] = unpack(header, max_bytes=8192, what="it")
    return found


# -- there and back -------------------------------------------------------------------------------------------------------


@EACH
def test_without_a_passphrase_nobody_is_asked(path: Path, key: PrivateKey) -> None:
    save(path, key)
    loaded = load_key(path, nobody)
    assert type(loaded) is type(key)
    assert (loaded.seed, loaded.public) == (key.seed, key.public)


@EACH
def test_with_a_passphrase_it_is_asked_once_and_nothing_secret_is_readable(path: Path, key: PrivateKey) -> None:
    save(path, key, "пароль")
    asked = []

    def passphrase() -> str:
        asked.append(1)
        return "пароль"

    loaded = load_key(path, passphrase)
    assert (loaded.seed, loaded.public) == (key.seed, key.public)
    assert asked == [1]
    raw = path.read_bytes()
    assert key.public in raw
    assert [piece for piece in (key.seed[:16], key.seed[-16:], "пароль".encode()) if piece in raw] == []


@EACH
@pytest.mark.parametrize("wrong", ["", "Пароль", "пароль ", "пароль\0"])
def test_a_wrong_passphrase_is_no_key(path: Path, key: PrivateKey, wrong: str) -> None:
    save(path, key, "пароль")
    with pytest.raises(NoKey):
        load_key(path, lambda: wrong)


def test_an_empty_passphrase_is_one(path: Path) -> None:
    save(path, SIGNING, "")
    assert load_key(path, lambda: "").seed == SIGNING.seed
    with pytest.raises(NoKey):
        load_key(path, lambda: "x")


def test_a_passphrase_is_the_same_however_its_letters_are_composed(path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Сяргей Ёўй é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    save(path, SIGNING, decomposed)
    assert load_key(path, lambda: composed).seed == load_key(path, lambda: decomposed).seed == SIGNING.seed


def test_a_passphrase_that_is_no_text_is_refused_in_one_line(path: Path) -> None:
    """What an environment that is not UTF-8 gives: a lone surrogate."""
    save(path, SIGNING, "x")
    with pytest.raises(ValizaError):
        load_key(path, lambda: "\udcff")


def test_two_files_of_one_key_have_different_salts(tmp_path: Path) -> None:
    random = counting()
    for name in "ab":
        save_key(tmp_path / name, SIGNING, passphrase="x", random=random, cost=CHEAP)
    assert header_of(tmp_path / "a")[3][3] != header_of(tmp_path / "b")[3][3]


# -- the file -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, "x"])
def test_only_its_owner_reads_it(path: Path, passphrase: str | None) -> None:
    before = os.umask(0)
    try:
        save(path, SIGNING, passphrase)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(Refused):
        save(path, SIGNING)
    assert path.read_bytes() == b"precious"


def test_what_is_not_there_is_unavailable(path: Path) -> None:
    with pytest.raises(Unavailable):
        load_key(path, nobody)


@EACH
def test_layout_is_that_of_the_specification(path: Path, key: PrivateKey) -> None:
    save(path, key)
    label, _, secret = unpack(path.read_bytes(), max_bytes=8192, what="it")
    kind = {SIGNING: "MLDSA65-Ed25519", OPENING: "X-Wing", EXTERNAL: "MLDSA65-Ed25519-external", LOG: "MLDSA44-Ed25519-log"}[key]
    assert (label, secret) == ("valiza/v1/key-file", key.seed)
    command = [word.encode() for word in EXTERNAL.signer.command]
    assert header_of(path) == ["valiza/v1/key-file", kind, key.public, None, *([["any", command]] if key is EXTERNAL else [])]


def test_the_cost_stands_in_the_header_and_by_default_is_64_mib_three_times(tmp_path: Path, cheap_derivation: None) -> None:
    save_key(tmp_path / "a", SIGNING, passphrase="x", random=counting())
    assert header_of(tmp_path / "a")[3] == ["argon2id13", 3, 65536, counting()(16)]
    save(tmp_path / "b", SIGNING, "x")
    assert header_of(tmp_path / "b")[3] == ["argon2id13", 1, 8192, counting()(16)]


# -- hostile files --------------------------------------------------------------------------------------------------------


def file_with(path: Path, kdf: Any, secret: bytes = bytes(136), *, kind: str = labels.KIND_SIGNATURE, public: Any = SIGNING.public) -> Path:
    path.write_bytes(pack([labels.KEY_FILE, pack([labels.KEY_FILE, kind, public, kdf]), secret]))
    return path


def test_a_file_of_something_else_is_told_by_how_it_begins(path: Path) -> None:
    path.write_bytes(pack(["valiza/v1/credential", b"body", []]))
    for read in (public_part, lambda file: load_key(file, nobody)):
        with pytest.raises(Malformed, match=r"^a key file begins with 'valiza/v1/key-file', not with 'valiza/v1/credential'$"):
            read(path)


SALT: Final = bytes(16)
BAD_COSTS: Final = {
    "a TiB": ["argon2id13", 1, 1 << 30, SALT],
    "a KiB more than allowed": ["argon2id13", 1, (1 << 20) + 1, SALT],
    "too little memory": ["argon2id13", 1, 8191, SALT],
    "no pass": ["argon2id13", 0, 8192, SALT],
    "seventeen passes": ["argon2id13", 17, 8192, SALT],
    "2^62 passes": ["argon2id13", 1 << 62, 8192, SALT],
    "a boolean": ["argon2id13", True, 8192, SALT],
    "text": ["argon2id13", "1", "8192", SALT],
    "short salt": ["argon2id13", 1, 8192, bytes(15)],
    "long salt": ["argon2id13", 1, 8192, bytes(17)],
    "Argon2i": ["argon2i13", 1, 8192, SALT],
    "scrypt": ["scrypt", 1, 8192, SALT],
    "four and one": ["argon2id13", 1, 8192, SALT, None],
    "no array": "argon2id13",
    "a map": {},
    "false": False,
}


@pytest.mark.parametrize("kdf", BAD_COSTS.values(), ids=BAD_COSTS.keys())
def test_bounds_are_checked_before_anything_is_derived(path: Path, kdf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacl.bindings.crypto_pwhash_alg", lambda *_: pytest.fail("derived"))
    with pytest.raises(Malformed):
        load_key(file_with(path, kdf), lambda: "x")


@pytest.mark.parametrize(("passes", "memory"), [(1, 8192), (16, 8192), (1, 1 << 20)])
def test_costs_at_the_bounds_are_derived(path: Path, passes: int, memory: int, cheap_derivation: None) -> None:
    save_key(path, SIGNING, passphrase="x", random=counting(), cost=Argon2Cost(passes, memory))
    assert load_key(path, lambda: "x").seed == SIGNING.seed


MALFORMED: Final[dict[str, tuple[Any, ...]]] = {
    "another label": ("valiza/v1/key-files", pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None]), SIGNING.seed),
    "another label in the header": (labels.KEY_FILE, pack(["valiza/v1/stream", labels.KIND_SIGNATURE, SIGNING.public, None]), SIGNING.seed),
    "header inline": (labels.KEY_FILE, [labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None], SIGNING.seed),
    "header of three": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public]), SIGNING.seed),
    "kind unknown": (labels.KEY_FILE, pack([labels.KEY_FILE, "Ed25519", SIGNING.public, None]), SIGNING.seed),
    "kind of the other": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_ENCRYPTION, SIGNING.public, None]), SIGNING.seed),
    "public key of another": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, signing_key("other").public, None]), SIGNING.seed),
    "public key nil": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, None, None]), SIGNING.seed),
    "secret of another": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None]), signing_key("other").seed),
    "secret short": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None]), SIGNING.seed[:-1]),
    "secret long": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None]), SIGNING.seed + b"\0"),
    "secret nil": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None]), None),
    "secret missing": (labels.KEY_FILE, pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None])),
}


@pytest.mark.parametrize("items", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(path: Path, items: tuple[Any, ...]) -> None:
    path.write_bytes(pack(list(items)))
    with pytest.raises(Malformed):
        load_key(path, nobody)


@pytest.mark.parametrize("passphrase", [None, "x"])
def test_a_key_of_a_rehearsal_is_one_there_only(path: Path, passphrase: str | None) -> None:
    practised = SigningKey(SIGNING.seed, Realm.REHEARSAL)
    save(path, practised, passphrase)
    loaded = load_key(path, lambda: "x", Realm.REHEARSAL)
    assert (loaded.seed, loaded.public) == (practised.seed, practised.public)
    assert public_part(path, Realm.REHEARSAL).public == practised.public
    with pytest.raises(Malformed) as told:
        load_key(path, nobody)
    assert told.value.hint == "it was made in a rehearsal, and counts for nothing"
    ordinary = path.with_name("ordinary.key")
    save(ordinary, SIGNING, passphrase)
    with pytest.raises(Malformed) as told:
        load_key(ordinary, nobody, Realm.REHEARSAL)
    assert told.value.hint == "a rehearsal takes only what a rehearsal made"


@pytest.mark.parametrize("raw", [b"", b"-----BEGIN PRIVATE KEY-----", bytes(8193), b"\xc4" * 100_000], ids=["empty", "PEM", "zeros", "large"])
def test_what_is_no_key_file_is_malformed(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with pytest.raises(Malformed):
        load_key(path, nobody)


def test_a_signing_key_is_not_passed_off_as_an_opening_key(path: Path) -> None:
    """The header is the context of what is encrypted: with another kind or public key it does not open."""
    save(path, SIGNING, "x")
    _, _, secret = unpack(path.read_bytes(), max_bytes=8192, what="it")
    kdf = header_of(path)[3]
    for kind, public in ((labels.KIND_ENCRYPTION, OPENING.public), (labels.KIND_SIGNATURE, signing_key("other").public)):
        with pytest.raises(NoKey):
            load_key(file_with(path, kdf, secret, kind=kind, public=public), lambda: "x")


@pytest.mark.parametrize(
    "secret", [SIGNING.seed[:32], SIGNING.seed + b"\0", signing_key("other").seed, b""], ids=["short", "long", "another", "empty"]
)
def test_an_encrypted_secret_is_checked_like_a_plain_one(path: Path, secret: bytes, cheap_derivation: None) -> None:
    kdf = ["argon2id13", 1, 8192, SALT]
    encryptor = Cobblestone256Encryptor(derive("test", "x", SALT, 1, 8192), pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, kdf]))
    with pytest.raises(Malformed):
        load_key(file_with(path, kdf, encryptor.update(secret) + encryptor.finalize()), lambda: "x")


@pytest.mark.parametrize(
    ("key", "passphrase"),
    [(SIGNING, None), (SIGNING, "x"), (OPENING, None), (OPENING, "x"), (EXTERNAL, "x")],
    ids=["signing-open", "signing-locked", "opening-open", "opening-locked", "external-locked"],
)
def test_whatever_byte_is_altered_no_other_key_comes_of_it(
    path: Path, key: PrivateKey, passphrase: str | None, cheap_derivation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of files, so they are given from memory. Without a passphrase the command of an external signer is whoever's can write the file."""
    save(path, key, passphrase)
    raw = path.read_bytes()
    spoilt = [flipped(raw, index, 1 << index % 8) for index in range(len(raw))]
    monkeypatch.setattr(keyfile, "read_file", lambda *_: spoilt.pop())
    while spoilt:
        with pytest.raises((Malformed, NoKey)):
            load_key(path, lambda: "x")


@EACH
def test_a_cut_file_is_malformed(path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, key, "x")
    raw = path.read_bytes()
    cut = [raw[:length] for length in range(len(raw))]
    monkeypatch.setattr(keyfile, "read_file", lambda *_: cut.pop())
    while cut:
        with pytest.raises(Malformed):
            load_key(path, nobody)


def test_a_loaded_key_does_not_show_its_secret(path: Path) -> None:
    save(path, OPENING)
    shown = repr(load_key(path, nobody))
    assert OPENING.seed.hex() not in shown
    assert repr(OPENING.seed)[2:-1] not in shown


def test_an_error_does_not_show_secret_or_passphrase(path: Path) -> None:
    file_with(path, None, signing_key("other").seed)
    with pytest.raises(ValizaError) as plain:
        load_key(path, nobody)
    save(path.with_name("locked"), SIGNING, "the right one")
    with pytest.raises(ValizaError) as locked:
        load_key(path.with_name("locked"), lambda: "the wrong one")
    for error in (plain.value, locked.value):
        said = error.message + error.hint + repr(error)
        assert "the right one" not in said
        assert "the wrong one" not in said
        assert signing_key("other").seed.hex() not in said


# -- the derivation and the limits, as key-file.md says them ---------------------------------------------------------------


@pytest.mark.parametrize("cost", [CHEAP, Argon2Cost(passes=2, memory_kib=9000)], ids=str)
def test_the_secret_is_sealed_with_argon2id_over_so_many_kib(path: Path, cost: Argon2Cost) -> None:
    """Derived here once more, with another function of libsodium, so that others can read these files."""
    save_key(path, SIGNING, passphrase="пароль", random=counting(), cost=cost)
    _, header, secret = unpack(path.read_bytes(), max_bytes=8192, what="it")
    stretched = argon2id.kdf(32, "пароль".encode(), counting()(16), opslimit=cost.passes, memlimit=cost.memory_kib * 1024)
    decryptor = Cobblestone256Decryptor(stretched, header)
    assert decryptor.update(secret) + decryptor.finalize() == SIGNING.seed


def test_what_a_derivation_costs_unless_told_otherwise() -> None:
    assert Argon2Cost() == Argon2Cost(passes=3, memory_kib=65536)


@pytest.mark.parametrize(
    ("size", "message"), [(8192, "is not canonical MessagePack|shortest"), (8193, "more than (the limit of )?8192")], ids=["greatest", "more"]
)
def test_a_key_file_has_at_most_8192_bytes(path: Path, size: int, message: str) -> None:
    path.write_bytes(bytes(size))
    with pytest.raises(Malformed, match=message):
        load_key(path, nobody)


@pytest.mark.parametrize(("size", "message"), [(256, "is not 64 bytes"), (257, "is not at most 256 bytes")])
def test_a_secret_has_at_most_256_bytes_before_it_is_unsealed(path: Path, size: int, message: str) -> None:
    header = pack([labels.KEY_FILE, labels.KIND_SIGNATURE, SIGNING.public, None])
    path.write_bytes(pack([labels.KEY_FILE, header, bytes(size)]))
    with pytest.raises(Malformed, match=message):
        load_key(path, nobody)


@EACH
@pytest.mark.parametrize("passphrase", [None, "пароль"], ids=["open", "protected"])
def test_the_public_part_is_read_without_the_passphrase(path: Path, key: PrivateKey, passphrase: str | None) -> None:
    save(path, key, passphrase)
    part = public_part(path)
    assert part.public == key.public
    assert part.protected is (passphrase is not None)
    assert part.signer == (EXTERNAL.signer if key is EXTERNAL else None)


# -- external halves --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, "пароль"], ids=["open", "protected"])
def test_a_key_with_an_external_half_signs_when_it_is_loaded(path: Path, passphrase: str | None) -> None:
    save(path, EXTERNAL, passphrase)
    loaded = load_key(path, lambda: passphrase or nobody())
    assert isinstance(loaded, ExternalSigningKey)
    assert loaded.signer == EXTERNAL.signer
    with closing(loaded):
        VerifyKey(loaded.public).verify(loaded.sign(b"message", b"context"), b"message", b"context")


def test_the_command_is_authenticated_by_the_passphrase(path: Path, tmp_path: Path) -> None:
    """Before anything is started."""
    save(path, EXTERNAL, "x")
    other = EXTERNAL.moved(ExternalSigner(reference="any", command=("/bin/touch", str(tmp_path / "started"))))
    save(path.with_name("other"), other, "y")
    _, _, secret = unpack(path.read_bytes(), max_bytes=8192, what="it")
    kdf = header_of(path)[3]
    header = [*header_of(path.with_name("other"))[:3], kdf, other.signer.packed()]
    path.write_bytes(pack([labels.KEY_FILE, pack(header), secret]))
    assert public_part(path).signer == other.signer
    with pytest.raises(NoKey):
        load_key(path, lambda: "x")
    assert not (tmp_path / "started").exists()


def _external_with(path: Path, *items: Any, kind: str = labels.KIND_EXTERNAL, public: Any = EXTERNAL.public, secret: Any = EXTERNAL.seed) -> Path:
    path.write_bytes(pack([labels.KEY_FILE, pack([labels.KEY_FILE, kind, public, None, *items]), secret]))
    return path


SIGNER_ITEM: Final = EXTERNAL.signer.packed()
LOW_ORDER: Final = EXTERNAL.public[:-32] + b"\x01" + bytes(31)
BAD_EXTERNALS: Final[dict[str, dict[str, Any]]] = {
    "no signer": {"items": []},
    "signer nil": {"items": [None]},
    "two signers": {"items": [SIGNER_ITEM, SIGNER_ITEM]},
    "a signer with a whole key": {"items": [SIGNER_ITEM], "kind": labels.KIND_SIGNATURE, "secret": bytes(64)},
    "a signer with an opening key": {"items": [SIGNER_ITEM], "kind": labels.KIND_ENCRYPTION, "public": OPENING.public, "secret": OPENING.seed},
    "a program without a path": {"items": [["any", [b"signer"]]]},
    "both seeds": {"items": [SIGNER_ITEM], "secret": bytes(64)},
    "seed of another": {"items": [SIGNER_ITEM], "secret": bytes(32)},
    "Ed25519 half of low order": {"items": [SIGNER_ITEM], "public": LOW_ORDER},
    "public key short": {"items": [SIGNER_ITEM], "public": EXTERNAL.public[1:]},
    "public key nil": {"items": [SIGNER_ITEM], "public": None},
}


@pytest.mark.parametrize("changes", BAD_EXTERNALS.values(), ids=BAD_EXTERNALS.keys())
def test_malformed_with_an_external_half(path: Path, changes: dict[str, Any]) -> None:
    good: dict[str, Any] = {"kind": labels.KIND_EXTERNAL, "public": EXTERNAL.public, "secret": EXTERNAL.seed}
    assert isinstance(load_key(_external_with(path, SIGNER_ITEM, **good), nobody), ExternalSigningKey)
    with pytest.raises(Malformed):
        load_key(_external_with(path, *changes["items"], **good | {key: value for key, value in changes.items() if key != "items"}), nobody)
