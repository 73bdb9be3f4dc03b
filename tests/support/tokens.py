"""PKCS#11 tokens in software (SoftHSM2), for tests: each in a folder of its own, with Ed25519 keys that never leave it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["BRIDGE", "PIN", "SoftToken", "make_token"]

BRIDGE: Final = Path(sys.executable).with_name("valiza-pkcs11-signer")
PIN: Final = "пин 1234"
_MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
)

# Run as a program of its own: the module reads its settings once in a process, and stays in it.
_GENERATE: Final = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
module, token, pin, label, key_id = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
    curve = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: b"\\x13\\x0cedwards25519"}, local=True)
    pair = curve.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label, id=bytes.fromhex(key_id))
    public, private = pair
    assert private[Attribute.SENSITIVE] and not private[Attribute.EXTRACTABLE]
    print(bytes(public[Attribute.EC_POINT])[2:].hex())
"""

_OTHER: Final = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
module, token, pin, label, kind = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
    if kind == "rsa":
        session.generate_keypair(KeyType.RSA, 2048, store=True, label=label, id=label.encode())
    else:
        name, key_type, mechanism = {
            "p-256": (b"\\x06\\x08\\x2a\\x86\\x48\\xce\\x3d\\x03\\x01\\x07", KeyType.EC, Mechanism.EC_KEY_PAIR_GEN),
            "ed448": (b"\\x13\\x0aedwards448", KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
        }[kind]
        curve = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: name}, local=True)
        curve.generate_keypair(mechanism=mechanism, store=True, label=label, id=label.encode())
"""

_IMPORT: Final = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
module, token, pin, label, private, public = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
    same = {Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.TOKEN: True, Attribute.LABEL: label, Attribute.ID: label.encode()}
    same[Attribute.EC_PARAMS] = b"\\x13\\x0cedwards25519"
    point = b"\\x04\\x20" + bytes.fromhex(public)
    session.create_object({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.VERIFY: True, Attribute.EC_POINT: point, **same})
    secret = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True}
    session.create_object({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: bytes.fromhex(private), **secret, **same})
"""


@dataclass(frozen=True)
class SoftToken:
    """A token. What uses it needs `environment`."""

    folder: Path
    module: Path
    label: str

    @property
    def environment(self) -> dict[str, str]:
        """Where SoftHSM finds it."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def command(self) -> tuple[str, ...]:
        """The bridge to it."""
        return (str(BRIDGE), "--module", str(self.module))

    def generate(self, label: str, key_id: str = "") -> bytes:
        """Have the token make an Ed25519 key; returns the public one."""
        return bytes.fromhex(self._run(_GENERATE, label, key_id))

    def generate_other(self, label: str, kind: str) -> None:
        """Have the token make a key of another kind: rsa, p-256 or ed448."""
        self._run(_OTHER, label, kind)

    def bring(self, label: str, private: bytes) -> bytes:
        """Put an Ed25519 key that exists already into the token; returns the public one."""
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        self._run(_IMPORT, label, private.hex(), public.hex())
        return public

    def _run(self, script: str, *arguments: str) -> str:
        words = [sys.executable, "-c", script, str(self.module), self.label, PIN, *arguments]
        done = subprocess.run(words, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, label: str) -> SoftToken:
        """Another token beside it."""
        words = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so 5678"]
        subprocess.run(words, env={**os.environ, **self.environment}, capture_output=True, check=True)
        return SoftToken(self.folder, self.module, label)

    def unplug(self) -> None:
        """Take all tokens away."""
        shutil.rmtree(self.folder / "tokens")
        (self.folder / "tokens").mkdir()


def make_token(folder: Path, label: str = "kz-mfa") -> SoftToken:
    """A new token in a new folder; skips the test where SoftHSM2 is not installed."""
    module = next((Path(path) for path in _MODULES if Path(path).is_file()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed")
    (folder / "tokens").mkdir(parents=True)
    settings = f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    (folder / "softhsm2.conf").write_text(settings, encoding="utf-8")
    return SoftToken(folder, module, label).add(label)
