"""What a name may stand for.

`letgo.source.names.Names` makes the symbols of the code base once each: they compare and hash by identity, and are the
keys of every table built later on.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from letgo.source.program import Class, Function, Module


@dataclass(frozen=True, slots=True, eq=False)
class ModuleSymbol:
    module: Module


@dataclass(frozen=True, slots=True, eq=False)
class ClassSymbol:
    module: Module
    cls: Class


@dataclass(frozen=True, slots=True, eq=False)
class FunctionSymbol:
    """`owner` is the class that a method is defined in."""

    module: Module
    function: Function
    owner: ClassSymbol | None


@dataclass(frozen=True, slots=True, eq=False)
class VariableSymbol:
    """A name assigned at module level, or given by the module's `__getattr__`."""

    module: Module
    name: str


class External(NamedTuple):
    """Something outside the code base: `httpx.AsyncClient`, `builtins.len`.

    A base class that a call made (`Base = declarative_base()`) is `sqlalchemy.orm.declarative_base()`.
    """

    dotted: str


Symbol: TypeAlias = FunctionSymbol | ClassSymbol | ModuleSymbol | VariableSymbol | External
