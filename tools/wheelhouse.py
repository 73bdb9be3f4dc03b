"""Make a folder from which Valiza is installed on a machine without network: wheels, their digests, and what to type there.

The folder holds Valiza's wheel and those of all that it needs at run time, for this platform and the Pythons named. Versions and digests are those of
requirements.lock; development tools are left out. Downloads go through pip and its ordinary configuration, and pip checks every digest.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

INSTALL: Final = """\
To install Valiza {version} on a machine without network. For {platform}, Python {pythons}.

1. Compare the digest of the list below with the one that the person told you who made this folder:

    sha256sum SHA256SUMS

2. Type here, in this folder. TARGET is the folder to install into; it should not exist yet.

    sha256sum --check --quiet --strict SHA256SUMS
    python3 -m venv "$TARGET"
    "$TARGET"/bin/python -m pip install --no-index --find-links . --require-hashes -r requirements.txt
    "$TARGET"/bin/python -m pip check
    "$TARGET"/bin/valiza --version

3. Try it, in a new folder:

    "$TARGET"/bin/valiza demo --dir "$TARGET"/demo

Nothing of this needs a network, a compiler or the rights of root. The option --sandbox of `valiza open` uses the system's libseccomp besides; on
Debian that is the package libseccomp2. valiza-pkcs11-signer uses the module that the maker of your HSM or smart card gives you.
"""

EXTRAS: Final = ("gateway", "pkcs11", "postgresql", "sandbox")


def locked(path: Path) -> dict[str, str]:
    """The requirements of a lock by name, each with its marker and digests, without comments."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="ascii").replace("\\\n", " ").splitlines():
        if match := re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)==", line):
            found[canonicalize_name(match[1])] = " ".join(line.split())
    return found


def needed(start: Iterable[str], pythons: Iterable[str]) -> set[str]:
    """Names of all that is needed at run time, on one of these Pythons, for requirements written as in `start`. What is installed here is asked."""
    environments = [{"python_version": python, "python_full_version": f"{python}.0"} for python in pythons]
    seen: set[tuple[str, str]] = set()
    waiting = [(text, "") for text in start]
    while waiting:
        text, extra = waiting.pop()
        wanted = Requirement(text)
        if wanted.marker is not None and not any(wanted.marker.evaluate({**environment, "extra": extra}) for environment in environments):
            continue
        name = canonicalize_name(wanted.name)
        for one in {"", *wanted.extras}:
            if (name, one) not in seen:
                seen.add((name, one))
                waiting += [(inner, one) for inner in requires(name) or ()]
    return {name for name, _ in seen}


def metadata_of(wheel: Path) -> tuple[str, list[str]]:
    """Version and requirements of a wheel, those of its extras among them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    wanted = [Requirement(text) for text in headers.get_all("Requires-Dist", [])]
    kept = [one for one in wanted if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in EXTRAS)]
    for one in kept:
        one.marker = None
    return str(headers["Version"]), [str(one) for one in kept]


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make(folder: Path, wheel: Path, lock: Path, pythons: list[str]) -> None:
    """Fill the folder; it must not exist."""
    version, wanted = metadata_of(wheel)
    lines = locked(lock)
    runtime = [lines[name] for name in sorted(needed(wanted, pythons))]
    folder.mkdir()
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(runtime) + "\n", encoding="ascii")
    for python in pythons:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--python-version", python, "--dest", str(folder), "-r", str(requirements)]
        subprocess.run(command, check=True)  # noqa: S603 - pip, with arguments of our own
    present = {sha256(path) for path in folder.glob("*.whl")}
    runtime = [_only(line, present) for line in runtime]
    shutil.copy(wheel, folder)
    requirements.write_text("\n".join([*runtime, f"valiza[{','.join(EXTRAS)}]=={version} --hash=sha256:{sha256(wheel)}"]) + "\n", encoding="ascii")
    said = INSTALL.format(version=version, platform=f"{platform.system()} on {platform.machine()}", pythons=", ".join(pythons))
    (folder / "INSTALL").write_text(said, encoding="ascii")
    sums = [f"{sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="ascii")


def _only(line: str, digests: set[str]) -> str:
    """A requirement with those of its digests that are wanted, so that a person can read it."""
    return " ".join(word for word in line.split(" ") if not word.startswith("--hash=") or word.removeprefix("--hash=sha256:") in digests)


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--wheel", type=Path, required=True, help="Valiza's own wheel")
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    parser.add_argument("--python", dest="pythons", nargs="+", default=[here], metavar="3.N", help=f"for which Pythons ({here})")
    parser.add_argument("folder", type=Path, help="is made anew")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    make(given.folder, given.wheel, given.lock, given.pythons)
    print(f"{given.folder}: {len(list(given.folder.glob('*.whl')))} wheels; digest of the list: {sha256(given.folder / 'SHA256SUMS')}")


if __name__ == "__main__":
    main()
