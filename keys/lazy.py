"""A package's API, imported name by name when it is first used (PEP 562): `valiza --help` needs no cryptography."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["lazy"]


def lazy(package: str, names: Sequence[str], modules: Sequence[str]) -> Callable[[str], object]:
    """The `__getattr__` of a package: finds each of `names` in the first of its `modules` that lists it in `__all__`."""

    def find(name: str) -> object:
        if name in names:
            for module in modules:
                found = import_module(f"{package}.{module}")
                if name in found.__all__:
                    return getattr(found, name)
        message = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(message)

    return find
