"""One mutant, tried in a process of its own, which was forked from one that has everything imported except the product and its tests."""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cosmic_ray.plugins
import hypothesis
import pytest
from cosmic_ray.mutating import MutationVisitor

from standing_in import hand_down, stand_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A mutant that eats the machine is as dead as one that fails.
MEMORY = 6 << 30
HYPOTHESIS_EXAMPLES = 25
HARMLESS = "core/NoOp"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """What cosmic-ray calls a work item with one mutation."""

    job_id: str
    path: Path
    operator: str
    occurrence: int
    line: int

    @property
    def harmless(self) -> bool:
        """Whether it changes nothing: with such a one the tests have to pass."""
        return self.operator == HARMLESS

    @property
    def module(self) -> str:
        """The name it is imported by."""
        return ".".join(("valiza", *self.path.with_suffix("").parts)).removesuffix(".__init__")


class _Chosen:
    """Runs the chosen tests only, in their order, with few examples each, and remembers what failed first."""

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.ranks = ranks
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and order."""
        items[:] = sorted((item for item in items if item.nodeid in self.ranks), key=lambda item: self.ranks[item.nodeid])
        hypothesis.settings.register_profile(
            "mutation", parent=hypothesis.settings(), max_examples=HYPOTHESIS_EXAMPLES, deadline=None, database=None, derandomize=True
        )
        hypothesis.settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported any more fails too."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class _Bare(ast.NodeTransformer):
    """Takes away what does nothing when the program runs: annotations, and what is imported for the type checker only."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        """Whether one may also be handed over by its place is a matter of style; `*` and `/` are no operators here."""
        node.kwonlyargs, node.posonlyargs, node.args = [], [], [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults, node.kw_defaults = [*node.defaults, *(d for d in node.kw_defaults if d is not None)], []
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(value="")
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if any(isinstance(part, ast.Name) and part.id == "TYPE_CHECKING" for part in ast.walk(node.test)) else self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            node.body = [ast.Pass()]
        return self.generic_visit(node)


def bare(source: str) -> str:
    """What of the source does something when the program runs. Two sources for which this is the same are the same program."""
    return ast.dump(_Bare().visit(ast.parse(source)))


def not_tried(before: str, after: str | None) -> str:
    """Why a mutant is not worth a test: it is no program at all, or the same one. Otherwise empty."""
    if after is None:
        return "cosmic-ray cannot make it"
    try:
        return "the same program" if bare(before) == bare(after) else ""
    except SyntaxError:  # the `*` in a list of parameters is taken for a multiplication
        return "no program"


def mutate(tree: Any, mutant: Mutant) -> str | None:  # noqa: ANN401 - parso has no types
    """The source with the mutant in it, from cosmic-ray's tree of the source before, which is changed; None if cosmic-ray cannot make it."""
    visitor = MutationVisitor(mutant.occurrence, cosmic_ray.plugins.get_operator(mutant.operator)())
    try:
        after: str = visitor.walk(tree).get_code()
    except AttributeError:
        if mutant.operator == "core/ExceptionReplacer":  # it does not know `except (ValueError, module.Error)`
            return None
        raise
    assert visitor.mutation_applied
    return after


def changed_lines(before: str, after: str) -> str:
    """The lines that differ, as `before → after`, without what is around them."""
    removed, added = [], []
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""):
        if line.startswith("-") and not line.startswith("---"):
            removed.append(line[1:].strip())
        elif line.startswith("+") and not line.startswith("+++"):
            added.append(line[1:].strip())
    return f"{' '.join(removed)} → {' '.join(added)}"


def run_tests(mutant: Mutant, after: str, tests: Sequence[str], *, scratch: Path, cpu_s: int) -> tuple[int, str]:
    """Run the tests in this process, with the mutant in place of its module. Gives pytest's exit code, and what failed first."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    assert not any(name.startswith("valiza.") for name in sys.modules)
    stand_in(mutant.module, after)
    hand_down(mutant.module, after, scratch / "inherited")
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
    plugin = _Chosen({test: rank for rank, test in enumerate(tests)})
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", f"--basetemp={scratch / 'tmp'}"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = int(pytest.main([*options, *files], plugins=[plugin]))
    if not code:  # what only the type checker reads was not imported yet, and has to be a program all the same
        importlib.import_module(mutant.module)
    return code, plugin.failed
