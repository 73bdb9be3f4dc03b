"""Other source in the place of a module's own, in this process and in those that it starts. Nothing heavy is imported: each of them imports this."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

# What Python runs first in every process that finds it on its path.
_FIRST = """import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from standing_in import stand_in
del sys.path[0]
stand_in({module!r}, Path({source!r}).read_text(encoding="utf-8"))
"""


class Loader(importlib.machinery.SourceFileLoader):
    """Loads other source than the file has. Nothing is edited in place, and no byte code is read or written."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        """The mutant, compiled."""
        del fullname
        with warnings.catch_warnings(action="ignore"):  # of `is` beside a number; pytest would make an error of it
            code: CodeType = compile(self.source, self.path, "exec", dont_inherit=True)
        return code


class Finder:
    """Finds one module, whose source is another."""

    def __init__(self, module: str, source: str) -> None:
        self.module = module
        self.source = source

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec, with a loader that gives it the other source."""
        del target
        if name != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = Loader(name, spec.origin, self.source)
        return spec


def stand_in(module: str, source: str) -> None:
    """Let a module that was not imported yet have this source, in this process."""
    sys.meta_path.insert(0, Finder(module, source))


def hand_down(module: str, source: str, folder: Path) -> None:
    """The same in every Python process that this one starts, as long as it is free to read the folder and hands its environment on."""
    folder.mkdir()
    (folder / "source").write_text(source, encoding="utf-8")
    first = _FIRST.format(here=str(Path(__file__).parent), module=module, source=str(folder / "source"))
    (folder / "sitecustomize.py").write_text(first, encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
