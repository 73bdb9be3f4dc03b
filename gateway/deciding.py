"""From what was found in a message to what becomes of it: the worst counts (docs/gateway.md, Verdicts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from valiza.gateway.decision import Action, Decision, Finding, GatewayVerdict
from valiza.gateway.rules import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.gateway.rules import Rules

__all__ = ["HEADER", "MOST_HEADERS", "decide", "facts_of", "worst_of"]

HEADER: Final = "X-Valiza-Verdict"
MOST_HEADERS: Final = 16
_SEVERITY: Final = {action: rank for rank, action in enumerate(Action)}  # the mildest first
_CODES: Final = {Action.DEFER: "451 4.3.0", Action.REJECT: "550 5.7.1"}
_TOO_LARGE: Final = "552 5.3.4"


def worst_of(findings: Sequence[Finding], rules: Rules) -> tuple[Action, Finding]:
    """The action that they lead to, and the first finding that leads to it."""
    worst = max(findings, key=lambda finding: _SEVERITY[rules.actions[finding.verdict]])  # the first of those that are alike
    return rules.actions[worst.verdict], worst


def decide(findings: Sequence[Finding], rules: Rules) -> Decision:
    """What becomes of a message in which this was found; nothing at all is the verdict `none`.

    Reply and headers say a verdict and an envelope's id, and never a mark, a body, a name or a word of the message.
    """
    found = tuple(findings) or (Finding(verdict=GatewayVerdict.NONE, exit_code=0),)
    action, worst = worst_of(found, rules)
    headers = tuple((HEADER, _value(finding)) for finding in found[:MOST_HEADERS])
    if rules.mode is Mode.OBSERVE:
        return Decision(action=Action.ACCEPT, findings=found, headers=headers)
    if action not in _CODES:
        return Decision(action=action, findings=found, headers=headers)
    return Decision(action=action, findings=found, reply=_reply(action, worst))


def _value(finding: Finding) -> str:
    return str(finding.verdict) if finding.envelope_id is None else f"{finding.verdict}; envelope={finding.envelope_id.hex()}"


def _reply(action: Action, worst: Finding) -> str:
    code = _TOO_LARGE if worst.verdict == GatewayVerdict.TOO_LARGE and action is Action.REJECT else _CODES[action]
    which = "" if worst.envelope_id is None else f" (envelope {worst.envelope_id.hex()})"
    return f"{code} valiza: {worst.verdict}{which}"


def facts_of(decision: Decision) -> dict[str, object]:
    """A decision as JSON has it: for the log, and for `valiza gateway check --json`."""
    return {
        "action": str(decision.action),
        "objects": [
            {
                "part": finding.part,
                "verdict": str(finding.verdict),
                "envelope_id": None if finding.envelope_id is None else finding.envelope_id.hex(),
                "unchecked": list(finding.unchecked),
                "exit_code": finding.exit_code,
                "reason": finding.reason,
            }
            for finding in decision.findings
        ],
        "reply": decision.reply,
        "headers": [f"{name}: {value}" for name, value in decision.headers],
    }
