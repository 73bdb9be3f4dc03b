"""One body's office: its folder, and everything that it does, composed of the layers below. cli calls only this.

A module imports only those before it in the order that pyproject.toml gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.office.answering import acknowledge_envelope, countersign_answer, judge_receipts, read_answer_file, refuse_envelope
    from valiza.office.founding import Founding, NewOfficer, certify_officer, found_office
    from valiza.office.home import Office
    from valiza.office.publishing import publish_roster
    from valiza.office.reader import Reader, office_reader, stranger
    from valiza.office.receiving import open_into, pass_on, verify
    from valiza.office.sending import SealOrder, plan_sealing, seal, seal_group, withdraw
    from valiza.office.trusting import adopt, import_roster, sign, terminate_agreement

__all__ = [
    "Founding",
    "NewOfficer",
    "Office",
    "Reader",
    "SealOrder",
    "acknowledge_envelope",
    "adopt",
    "certify_officer",
    "countersign_answer",
    "found_office",
    "import_roster",
    "judge_receipts",
    "office_reader",
    "open_into",
    "pass_on",
    "plan_sealing",
    "publish_roster",
    "read_answer_file",
    "refuse_envelope",
    "seal",
    "seal_group",
    "sign",
    "stranger",
    "terminate_agreement",
    "verify",
    "withdraw",
]

__getattr__ = lazy(
    __name__,
    __all__,
    ("home", "founding", "publishing", "trusting", "reader", "sending", "receiving", "answering"),
)
