"""The house itself: layout, lock, vectors, index pages, and what a bare command may import."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parent.parent
VECTORS: Final = ROOT / "tests" / "vectors"
FOLDERS: Final = ("keys", "envelope", "register", "office", "gateway", "cli")

# Each of these costs 50 ms or more, and belongs into the command that uses it.
TOO_HEAVY: Final = {
    "aiosmtpd",
    "alembic",
    "cattrs",
    "email",
    "fpdf",
    "holidays",
    "pkcs11",
    "psycopg",
    "pydantic",
    "reportlab",
    "rfc3161_client",
    "rich",
    "rich_click",
    "segno",
    "sqlalchemy",
    "weasyprint",
}

# Data is frozen, slotted and given by keyword. These are the exceptions: short ones whose order of fields everybody knows, and those that keep
# what they have worked out (a cached property needs a dictionary) or are made from another one with a field more.
POSITIONAL: Final = {
    "Argon2Cost", "Basis", "Body", "Handling", "Leg", "Mark", "MarkText", "Marks", "Padding", "PublicPart", "Reference", "Signature", "Stanza",
    "StoredReceipt",
}  # fmt: skip
UNSLOTTED: Final = {
    "Agreement", "AuthenticDispatch", "AuthenticReceipt", "Consignment", "OpenedEnvelope", "PreparedConsignment", "Profile", "SealedEnvelope",
    "UnsealedManifest", "VerifiedAnswer", "VerifiedDispatch", "VerifiedEnvelope", "VerifiedReceipt",
}  # fmt: skip
ORDERED: Final = {"Body", "Mark"}
STATE: Final = {"_State"}  # what a program goes through, and no data

# What no message, log or debugger shows of an object by itself: secrets, who classified what, and what is too long to read.
HIDDEN: Final = {
    "Acknowledgement": {"core", "dispatch"},
    "Agreement": {"raw"},
    "AuthenticDispatch": {"container", "stanzas"},
    "AuthenticReceipt": {"statement"},
    "Carrier": {"classified_by", "ground"},
    "Confirmation": {"enquiry", "extensions"},
    "Consignment": {"addressees", "clearances", "keep_for"},
    "Container": {"core_raw", "dispatch_raw", "header_raw", "source"},
    "Core": {"raw"},
    "Credential": {"extensions", "issuer", "key", "raw"},
    "CredentialDraft": {"public_key"},
    "Custodian": {"key"},
    "Designation": {"extensions", "raw", "signer"},
    "Difference": {"credentials", "designations", "revocations", "roots"},
    "Enquiry": {"extensions"},
    "Expectation": {"core", "dispatch", "marks", "openings", "proof"},
    "Handover": {"extensions"},
    "Manifest": {"salt"},
    "Notice": {"core", "dispatch", "extensions"},
    "Opening": {"rewrap"},
    "OpeningClaim": {"openings", "proof", "rewrap"},
    "Overdue": {"core", "dispatch", "extensions"},
    "Profile": {"channels", "escorts", "extensions", "handling", "rows", "terms", "transports"},
    "Receipt": {"answer"},
    "Refusal": {"core", "dispatch"},
    "Request": {"extensions", "keys", "raw"},
    "RequestDraft": {"keys"},
    "Rewrap": {"extensions", "raw", "stanza"},
    "Root": {"custodians", "extensions", "raw"},
    "RootDraft": {"extensions"},
    "Revocation": {"extensions", "raw", "signer"},
    "Roster": {"credentials", "designations", "extensions", "outlines", "raw", "revoked", "roots"},
    "SealedEnvelope": {"manifest_copy"},
    "Share": {"raw", "words"},
    "SignedDispatch": {"statement"},
    "Stanza": {"wrapped"},
    "Statement": {"body", "raw", "signatures"},
    "StoredReceipt": {"raw"},
    "Termination": {"extensions", "raw"},
    "TerminationDraft": {"extensions"},
    "Record": {"results"},
    "Tool": {"libraries"},
    "Transcript": {"extensions", "keys", "raw"},
    "TranscriptDraft": {"inputs", "plan", "steps"},
    "UnsealedManifest": {"streams"},
    "VerifiedAnswer": {"statement"},
    "VerifiedConfirmation": {"raw"},
    "VerifiedDispatch": {"addressees"},
    "VerifiedEnquiry": {"raw"},
    "VerifiedHandover": {"raw"},
    "VerifiedNotice": {"raw"},
    "VerifiedOverdue": {"raw"},
}


@pytest.mark.parametrize("folder", ["keys", "envelope"])
def test_dataclasses(folder: str) -> None:
    found: list[tuple[str, str]] = []
    wanted: list[tuple[str, str]] = []
    classes = _classes(f"valiza.{folder}")
    chosen: list[Any] = [value for name, value in classes.items() if dataclasses.is_dataclass(value) and name not in STATE]
    for data in chosen:
        name, fields, parameters = data.__name__, dataclasses.fields(data), data.__dataclass_params__
        found += [
            (name, "frozen" if parameters.frozen else "not frozen"),
            (name, "compared" if parameters.eq else "not compared"),
            (name, "ordered" if parameters.order else "not ordered"),
            (name, "slotted" if "__slots__" in vars(data) else "not slotted"),
            (name, "by keyword" if all(each.kw_only for each in fields) else "by position"),
            (name, "hidden: " + " ".join(sorted(each.name for each in fields if not each.repr))),
        ]
        wanted += [
            (name, "frozen"),
            (name, "compared"),
            (name, "ordered" if name in ORDERED else "not ordered"),
            (name, "not slotted" if name in UNSLOTTED else "slotted"),
            (name, "by position" if name in POSITIONAL else "by keyword"),
            (name, "hidden: " + " ".join(sorted(HIDDEN.get(name, ())))),
        ]
    assert found == wanted
    assert {name for name, _ in found} >= (POSITIONAL | UNSLOTTED | set(HIDDEN)) & set(classes)


def _classes(package: str) -> dict[str, Any]:
    """The classes that the modules of a package define, by name."""
    names = [f"{package}.{module.name}" for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    values = [value for name in names for value in vars(importlib.import_module(name)).values() if getattr(value, "__module__", "") == name]
    return {value.__name__: value for value in values if isinstance(value, type)}


@pytest.mark.checkout
@pytest.mark.parametrize("name", FOLDERS)
def test_code_folder_is_linked(name: str) -> None:
    link = ROOT / "src" / "valiza" / name
    assert link.is_symlink(), "a clone without symlinks? See docs/decisions/001-symlink-layout.md"
    assert str(link.readlink()) == f"../../{name}"
    assert (ROOT / name / "__init__.py").is_file()
    assert (ROOT / name / "py.typed").is_file()


@pytest.mark.checkout
def test_valiza_is_a_namespace_of_the_code_folders_alone() -> None:
    assert sorted(path.name for path in (ROOT / "src" / "valiza").iterdir() if path.name != "__pycache__") == sorted(FOLDERS)


@pytest.mark.checkout
def test_nobody_imports_a_code_folder_by_its_bare_name() -> None:
    sources = [path for folder in (*FOLDERS, "tests", "bench", "soak", "specs") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    bare = [f"{path.relative_to(ROOT)}: {name}" for path in sources for name in _imported(path) if name.split(".")[0] in FOLDERS]
    assert bare == []


def _imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
    return names


@pytest.mark.checkout
@pytest.mark.parametrize("folder", ["specs", "docs/decisions"])
def test_index_lists_every_page(folder: str) -> None:
    index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / folder).glob("*.md") if path.name != "README.md")
    assert pages
    assert [page for page in pages if f"({page})" not in index] == []


@pytest.mark.checkout
def test_changelog_tells_what_is_unreleased() -> None:
    assert re.search(r"^## \[Unreleased\]\n+### ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_vectors_of_others_are_all_there_and_unchanged() -> None:
    sums = [line.split("  ") for line in (VECTORS / "SHA256SUMS").read_text(encoding="ascii").splitlines()]
    expected = {name: digest for digest, name in sums}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VECTORS.glob("*.json")}
    assert found == expected
    index = (VECTORS / "README.md").read_text(encoding="utf-8")
    assert [name for name in expected if f"`{name}`" not in index] == []


def test_own_vectors_have_a_generator_and_an_independent_reader() -> None:
    generate = ROOT / "specs" / "vectors" / "generate"
    assert [name for name in ("generate.py", "reader.py") if not (generate / name).is_file()] == []


LOCKS: Final = {"requirements.lock": ("dev",), "requirements-mutation.lock": ("dev", "mutation")}


def locked(name: str) -> dict[str, str]:
    """The versions in a lock of what has a hash there."""
    lock = (ROOT / name).read_text(encoding="ascii").replace("\\\n", " ")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) .*--hash=sha256:", lock, re.MULTILINE))


@pytest.mark.checkout
@pytest.mark.parametrize("name", [*LOCKS, "requirements-bench.lock", "requirements-go.lock"])
def test_lock_names_no_host(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="ascii")
    assert re.findall(r"^.*(?:://|--index-url|--extra-index-url|--find-links|--trusted-host).*$", lock, re.MULTILINE) == []


@pytest.mark.checkout
@pytest.mark.parametrize("name", LOCKS)
def test_lock_fits_pyproject(name: str) -> None:
    """Every direct dependency is locked at a version that pyproject.toml allows, and with hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["project"]["dependencies"], *(project["dependency-groups"][group] for group in LOCKS[name]), project["build-system"]["requires"]]
    lists += project["project"]["optional-dependencies"].values()
    wanted = [Requirement(text) for texts in lists for text in texts if isinstance(text, str)]
    assert [str(want) for want in wanted if locked(name).get(want.name, "0") not in want.specifier] == []


@pytest.mark.checkout
def test_both_locks_have_the_same_versions() -> None:
    small, large = (locked(name) for name in LOCKS)
    assert small
    assert small.items() <= large.items()


@pytest.mark.checkout
@pytest.mark.parametrize("path", [".ci/run"])
def test_script_is_executable(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "valiza.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "valiza.cli.main" in imported
    assert sorted(name for name in imported if name.split(".")[0] in TOO_HEAVY) == []
