"""The mail server that other tests stand on: what goes in comes out, and nothing leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.postfix import RECIPIENT, running

if TYPE_CHECKING:
    from tests.support.postfix import Postfix

pytestmark = pytest.mark.slow

MESSAGE = b"From: a@out.test.invalid\r\nSubject: one\r\nX-Odd:\tfolded\r\n  twice\r\n\r\n.leading dot\r\n\xd0\x9a\r\n"


def test_a_message_arrives_as_it_was_sent(postfix: Postfix) -> None:
    assert postfix.send(MESSAGE).code == 250
    (raw,) = postfix.arrivals()
    assert raw.endswith(MESSAGE.replace(b"\r\n", b"\n"))
    with postfix.session() as client:
        assert [postfix.send(MESSAGE, client=client).code for _ in range(3)] == [250] * 3
    assert len(postfix.arrivals(3)) == 3


def test_nothing_leaves(postfix: Postfix) -> None:
    postfix.send(MESSAGE, sender="", to="somebody@elsewhere.invalid")
    assert postfix.send(MESSAGE).code == 250
    assert len(postfix.arrivals()) == 1


def test_without_its_milter_it_defers(postfix: Postfix) -> None:
    postfix.use_milter(f"unix:{postfix.socket}")
    assert postfix.send(MESSAGE).code == 451
    postfix.configure(smtpd_milters="")
    assert postfix.send(MESSAGE).code == 250


def test_two_side_by_side(postfix: Postfix) -> None:
    with running() as second:
        assert second.send(MESSAGE, to=RECIPIENT).code == 250
        assert len(second.arrivals()) == 1
        assert postfix.delivered() == []
