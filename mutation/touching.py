"""A pytest plugin that notes which test runs which line, so that a mutant meets only the tests that can notice it.

What a fixture of wider scope runs counts for every test that asks for it. Caches of the tests' own helpers are emptied before each test, so that
what they hide counts for every test too.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("keys", "envelope")


class Touching:
    """Which test ran which line of FOLDERS, and how much processor time each test took."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.contexts = ["collection"]
        self.durations: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}
        self.coverage = coverage.Coverage(data_file=None, include=[str(ROOT / folder / "*") for folder in FOLDERS], config_file=False)
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Give a fixture that outlives a test a name of its own."""
        self._enter(self.contexts[-1] if fixturedef.scope == "function" else f"fixture {fixturedef.argname}")
        try:
            return (yield)
        finally:
            self._leave()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Everything from setup to teardown is the test's."""
        self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", []))
        for module in [module for name, module in sys.modules.items() if name.startswith("tests.support")]:
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
        self._enter(f"test {item.nodeid}")
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.durations[item.nodeid] = time.process_time() - began
            self._leave()

    def pytest_collection_finish(self) -> None:
        """Import every module now, so that what runs then is no test's."""
        for folder in FOLDERS:
            for path in sorted((ROOT / folder).glob("*.py")):
                importlib.import_module(f"valiza.{folder}.{path.stem}".removesuffix(".__init__"))

    def pytest_sessionfinish(self) -> None:
        """Write what was found: for each line the tests as bits of one number, the first test being the lowest bit."""
        self.coverage.stop()
        data = self.coverage.get_data()
        tests = {nodeid: index for index, nodeid in enumerate(self.fixtures)}
        askers: dict[str, int] = defaultdict(int)
        for nodeid, names in self.fixtures.items():
            for name in names:
                askers[name] |= 1 << tests[nodeid]
        lines: dict[str, dict[int, str]] = {}
        early: dict[str, list[int]] = {}
        for path in sorted(data.measured_files()):
            found = lines.setdefault(name_of(path), {})
            for line, contexts in data.contexts_by_lineno(path).items():
                bits = 0
                if any(context.startswith("fixture ") for context in contexts):
                    early.setdefault(name_of(path), []).append(line)
                for context in contexts:
                    kind, _, name = context.partition(" ")
                    bits |= 1 << tests[name] if kind == "test" else askers[name] if kind == "fixture" else 0
                found[line] = f"{bits:x}"
        result = {"tests": [[nodeid, round(self.durations[nodeid], 4)] for nodeid in tests], "lines": lines, "early": early}
        self.output.write_text(json.dumps(result), encoding="utf-8")

    def _enter(self, context: str) -> None:
        self.contexts.append(context)
        self.coverage.switch_context(context)

    def _leave(self) -> None:
        self.contexts.pop()
        self.coverage.switch_context(self.contexts[-1])


def name_of(path: str) -> str:
    """The name of a source file from the root of the checkout."""
    return str(Path(path).relative_to(ROOT))


def pytest_configure(config: pytest.Config) -> None:
    """Begin before anything of the product is imported."""
    config.pluginmanager.register(Touching(Path(os.environ["TOUCHING_OUTPUT"])), "touching-lines")
