"""The script of a ceremony: the steps that follow from a plan, and nothing else."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from valiza.keys.transcript import SIGNING
from valiza.office.ceremony.credential_paper import CredentialPaper
from valiza.office.ceremony.matter import keys_wanted
from valiza.office.ceremony.revocation_paper import RevocationPaper
from valiza.office.ceremony.root_paper import RootPaper
from valiza.office.ceremony.steps import AttestStep, CloseStep, DraftStep, FinishStep, KeyStep, OpenStep, RecoverStep, SignStep
from valiza.office.ceremony.story import Story

if TYPE_CHECKING:
    from valiza.office.ceremony.matter import Matter
    from valiza.office.ceremony.papers import Paper
    from valiza.office.ceremony.plan import Person, Plan
    from valiza.office.ceremony.steps import Step

__all__ = ["attestations", "foresee", "script", "signers"]


def script(plan: Plan) -> tuple[Step, ...]:
    """All steps that the transcript tells of, in order (transcript.md, Steps)."""
    number = itertools.count(1)
    operator = plan.operator
    steps: list[Step] = [OpenStep(number=next(number), person=operator)]
    for wanted in keys_wanted(plan):
        about = None if wanted.which == "own" else wanted.which
        if wanted.person.key == "recover":
            steps.append(RecoverStep(number=next(number), person=wanted.person, wanted=wanted))
        else:
            steps.append(KeyStep(number=next(number), person=wanted.person, about=about, wanted=wanted))
    for paper in papers(plan):
        steps.append(DraftStep(number=next(number), person=operator, about=paper.about, paper=paper))
        for signing in paper.signings(plan):
            name = "sign" if signing.which == "own" else "sign-previous"
            steps.append(SignStep(number=next(number), person=signing.person, name=name, about=paper.about, paper=paper, signing=signing))
        steps.append(FinishStep(number=next(number), person=operator, about=paper.about, paper=paper))
    steps.append(CloseStep(number=next(number), person=operator))
    return tuple(steps)


def papers(plan: Plan) -> list[Paper]:
    """The statements of a ceremony, in the order in which they are made."""
    found: list[Paper] = [] if plan.new_root is None else [RootPaper(plan.new_root)]
    found += [RevocationPaper(revoke, number) for number, revoke in enumerate(plan.revokes, 1)]
    found += [CredentialPaper(grant, number) for number, grant in enumerate(plan.grants, 1)]
    return found


def foresee(matter: Matter, at: int) -> None:
    """Raise what a ceremony that begins at a time could only come to, before people sit around the table.

    Raises:
        NotAuthentic, Refused, Malformed: a witness's credential is not valid, nobody vouches for a request, the root may not say what the plan wants.
    """
    for person in matter.plan.people:
        if person.key == "act":
            matter.credential(person).require_valid(at, "the ceremony")
    story = Story(matter)
    for paper in papers(matter.plan):
        paper.foresee(story, at)


def signers(plan: Plan) -> list[Person]:
    """Who signs the transcript: every custodian and witness who took part, in the plan's order."""
    having = {wanted.person.id for wanted in keys_wanted(plan)}
    return [one for one in plan.people if one.role in SIGNING and one.id in having]


def attestations(plan: Plan) -> tuple[Step, ...]:
    """The steps by which the transcript is signed; they follow the others, and it cannot tell of them."""
    first = len(script(plan)) + 1
    return tuple(AttestStep(number=number, person=person) for number, person in enumerate(signers(plan), first))
