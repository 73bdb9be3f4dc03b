"""What passes a gateway, made once for all tests and copied for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.post import make_post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import World


@pytest.fixture(scope="session")
def made_post(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Offices and objects, which nobody changes."""
    return make_post(tmp_path_factory.mktemp("post"))


@pytest.fixture
def post(made_post: World, tmp_path: Path) -> World:
    """Offices and objects, this test's own."""
    return made_post.copy(tmp_path / "post")
