"""Who may sign or receive, and what a signature covers: encoding, statements, keys, credentials, rosters.

The names below are this layer's API. A module imports only those before it in the order that pyproject.toml gives; nothing imports another layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.keys.cost import measured_cost
    from valiza.keys.credential import Credential, CredentialDraft, check_credential, issue_credential
    from valiza.keys.encoding import pack, unpack
    from valiza.keys.errors import Conflict, Incomplete, Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError
    from valiza.keys.fields import Body, Mark
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.keys.keyfile import load_key, save_key
    from valiza.keys.log_key import LogSigningKey, LogVerifyKey
    from valiza.keys.recipient import Identity, Recipient
    from valiza.keys.request import Request, RequestDraft, check_vouching, make_request, read_request
    from valiza.keys.root import Custodian, Root, RootDraft, make_root, read_root, read_roots
    from valiza.keys.roster import Roster, make_roster, read_roster
    from valiza.keys.signing import SigningKey, VerifyKey
    from valiza.keys.statement import Statement, read_statement, sign_statement
    from valiza.keys.trust import Trust

__all__ = [
    "Body",
    "Conflict",
    "Credential",
    "CredentialDraft",
    "Custodian",
    "Identity",
    "Incomplete",
    "LogSigningKey",
    "LogVerifyKey",
    "Malformed",
    "Mark",
    "NoKey",
    "NotAuthentic",
    "Recipient",
    "Refused",
    "Request",
    "RequestDraft",
    "Root",
    "RootDraft",
    "Roster",
    "SigningKey",
    "Statement",
    "Trust",
    "Unavailable",
    "Usage",
    "ValizaError",
    "VerifyKey",
    "check_credential",
    "check_vouching",
    "issue_credential",
    "load_key",
    "make_request",
    "make_root",
    "make_roster",
    "measured_cost",
    "pack",
    "parse_fingerprint",
    "read_request",
    "read_root",
    "read_roots",
    "read_roster",
    "read_statement",
    "save_key",
    "sign_statement",
    "unpack",
]

__getattr__ = lazy(
    __name__,
    __all__,
    (
        "errors",
        "encoding",
        "fields",
        "statement",
        "signing",
        "log_key",
        "recipient",
        "keyfile",
        "cost",
        "fingerprint",
        "root",
        "credential",
        "roster",
        "trust",
        "request",
    ),
)
