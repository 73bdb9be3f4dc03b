"""What others use for the job: sign a file and encrypt it to two recipients, then decrypt and verify.

All keys are new and without a passphrase, as Valiza's are here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import environment

LIMIT = Path(__file__).with_name("limit.py")


@dataclass(frozen=True)
class Contestant:
    """One program and its two commands. `out` is a folder that sealing and opening fill, and that is emptied between rounds."""

    name: str
    out: Path
    seal: Sequence[str]
    open: Sequence[str]
    sealed: Path  # what travels
    released: Path  # the plaintext after opening

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)


def limit(folder: Path, carrier: Path) -> Contestant:
    """The machine's limit: no signature, no recipient, one thread."""
    out = folder / "out"
    sealed, released = out / "sealed", out / "plain"
    command = [sys.executable, str(LIMIT)]
    return Contestant("limit", out, [*command, "seal", str(carrier), str(sealed)], [*command, "open", str(sealed), str(released)], sealed, released)


def age(folder: Path, carrier: Path) -> Contestant:
    """The ciphertext is signed: it is read once more on both sides, and nothing is decrypted that does not verify."""
    _do(folder, "minisign -G -W -p sealer.pub -s sealer.key")
    _do(folder, "for who in one two; do age-keygen -o $who.key; age-keygen -y $who.key >>recipients; done")
    return _contestant(
        "age + minisign",
        folder,
        carrier,
        "age -R recipients -o out/sealed '{carrier}'; minisign -S -W -s sealer.key -m out/sealed </dev/null",
        "minisign -V -q -p sealer.pub -m out/sealed; age -d -i one.key -o out/plain out/sealed",
    )


def gpg(folder: Path, carrier: Path) -> Contestant:
    """Ed25519 and Curve25519; no compression, as nobody else does any."""
    command = 'gpg --homedir "$(readlink home)" --batch --quiet --trust-model always'
    # The agent's socket lies in there, and a socket's path has at most 107 bytes.
    (folder / "home").symlink_to(tempfile.mkdtemp(prefix="valiza-gpg."))
    _do(folder, f"for who in sealer one two; do {command} --passphrase '' --quick-generate-key $who@bench.invalid future-default; done")
    return _contestant(
        "gpg",
        folder,
        carrier,
        f"{command} --compress-algo none -u sealer@bench.invalid -r one@bench.invalid -r two@bench.invalid"
        " -o out/sealed --sign --encrypt '{carrier}'",
        f"{command} -o out/plain --decrypt out/sealed",
    )


def openssl(folder: Path, carrier: Path) -> Contestant:
    """P-256 and AES-256-GCM. It streams where it can: verifying holds everything in memory."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$who -keyout $who.key -out $who.pem"
    _do(folder, f"for who in sealer one two; do {make}; done")
    return _contestant(
        "openssl cms",
        folder,
        carrier,
        "openssl cms -sign -binary -nodetach -stream -outform DER -signer sealer.pem -inkey sealer.key -in '{carrier}' |"
        " openssl cms -encrypt -binary -stream -outform DER -aes-256-gcm -out out/sealed one.pem two.pem",
        "openssl cms -decrypt -binary -inform DER -recip one.pem -inkey one.key -in out/sealed |"
        " openssl cms -verify -binary -inform DER -CAfile sealer.pem -purpose any -out out/plain",
    )


PEERS: dict[str, tuple[tuple[str, ...], Callable[[Path, Path], Contestant]]] = {
    "age + minisign": (("age", "age-keygen", "minisign"), age),
    "gpg": (("gpg", "gpgconf"), gpg),
    "openssl cms": (("openssl",), openssl),
}
_VERSIONS = {"age": "age --version", "minisign": "minisign -v", "gpg": "gpg --version", "openssl": "openssl version"}


def installed(name: str) -> bool:
    return all(map(shutil.which, ("bash", *PEERS[name][0])))


def found_peers(folder: Path, carrier: Path) -> list[Contestant]:
    """Those that are installed, each with keys in a folder of its own."""
    found = []
    for name, (_, make) in PEERS.items():
        if installed(name):
            own = folder / name.replace(" ", "")
            own.mkdir(parents=True)
            found.append(make(own, carrier))
    return found


def dismiss_peers(folder: Path) -> None:
    """End the agent that gpg started for its keys, and remove them."""
    home = folder / "gpg" / "home"
    if home.is_symlink():
        _do(folder / "gpg", 'gpgconf --homedir "$(readlink home)" --kill all')
        shutil.rmtree(home.readlink())


def versions() -> dict[str, str]:
    found = {}
    for name, command in _VERSIONS.items():
        if shutil.which(name):
            said = subprocess.run(command.split(), capture_output=True, text=True, check=False).stdout.split("\n")[0]
            found[name] = next((word for word in said.split() if word.lstrip("v")[:1].isdigit()), "?")
    return found


def _contestant(name: str, folder: Path, carrier: Path, seal: str, open_: str) -> Contestant:
    """Both commands run in the peer's folder; what is left of the line by a program that fails is not run."""
    bash = [str(shutil.which("bash")), "-o", "pipefail", "-ec"]
    out = folder / "out"
    commands = [[*bash, f"cd '{folder}'; {line}"] for line in (seal.format(carrier=carrier), open_)]
    return Contestant(name, out, commands[0], commands[1], out / "sealed", out / "plain")


def _do(folder: Path, line: str) -> None:
    done = subprocess.run(
        [str(shutil.which("bash")), "-o", "pipefail", "-ec", line],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{line}\nended with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
