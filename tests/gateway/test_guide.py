"""docs/gateway.md names every event and every metric of the service, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from valiza.gateway.logs import EVENTS
from valiza.gateway.metrics import Metrics

pytestmark = pytest.mark.checkout

GUIDE: Final = Path(__file__).parent.parent.parent / "docs" / "gateway.md"


def table(heading: str) -> list[str]:
    """What stands in code in the first column of the table below a heading."""
    text = GUIDE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text.partition(f"\n| {heading} | |\n")[2].partition("\n\n")[0], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_event_is_described() -> None:
    assert sorted(table("event")) == sorted(EVENTS)


def test_every_metric_is_described() -> None:
    named = {re.sub(r"\{.*", "", name).replace("valiza_gateway_", "").lstrip("_") for name in table("metric")}
    collected = {metric.name for metric in Metrics().registry.collect() if "_process_" not in metric.name}
    assert {name.removesuffix("_total") for name in named} == {name.removeprefix("valiza_gateway_") for name in collected}
