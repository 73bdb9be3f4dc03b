"""What leads a ceremony: the version, and the digest of the installed code, by its own word (specs/transcript.md, Tool)."""

from __future__ import annotations

import importlib.metadata
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Unavailable
from valiza.keys.files import storage_errors
from valiza.keys.transcript import Tool

__all__ = ["code_digest", "installed_files", "this_tool"]

LIBRARIES: Final = ("blake3", "click", "cryptography", "msgpack", "pynacl")


def this_tool() -> Tool:
    """This program, on this machine."""
    from cryptography.hazmat.backends.openssl.backend import backend  # noqa: PLC0415 - where a ceremony is led only

    libraries = {name: _version(name) for name in LIBRARIES} | {"openssl": backend.openssl_version_text()}
    return Tool(
        version=_version("valiza"),
        code=code_digest(installed_files()),
        interpreter=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(),
        libraries=tuple(sorted(libraries.items())),
    )


def installed_files() -> dict[str, bytes]:
    """The files of the installed package: of each folder of `valiza` that is a package, by its path with slashes.

    Raises:
        Unavailable: one cannot be read.
    """
    spec = find_spec("valiza")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    found: dict[str, bytes] = {}
    for place in places:
        for folder in sorted(Path(place).iterdir()):
            if (folder / "__init__.py").is_file():
                found |= {f"{folder.name}/{name}": data for name, data in _files(folder.resolve()).items()}
    if not found:
        message = "the files of the installed program are not to be found"
        raise Unavailable(message)
    return found


def _files(folder: Path) -> dict[str, bytes]:
    wanted = [path for path in folder.rglob("*") if path.is_file() and (path.suffix in {".py", ".toml"} or path.name == "py.typed")]
    with storage_errors(folder):
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in wanted if "__pycache__" not in path.parts}


def code_digest(files: dict[str, bytes]) -> bytes:
    """The digest of a program's files: over the array of [path, bytes], in the order of the paths."""
    return digest(labels.DIGEST_CODE, pack([[path, files[path]] for path in sorted(files, key=lambda path: path.encode("utf-8"))]))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
