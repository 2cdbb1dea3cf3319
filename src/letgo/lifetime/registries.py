"""`Base.query = registry.query_property()`: the registry whose session the queries of models run in.

https://docs.sqlalchemy.org/en/20/orm/contextual.html#sqlalchemy.orm.scoped_session.query_property
"""

from collections.abc import Iterator

from letgo.lifetime import construction
from letgo.lifetime.analysis import Analysis
from letgo.lifetime.values import Factory
from letgo.source.definitions import classes_within
from letgo.source.names import ClassSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import Assign, Attr, Call, Expr, Module


def registry_of(analysis: Analysis, model: ClassSymbol) -> Factory | None:
    """The registry that the `query` of a model, or of a base of it, is a property of; None where none is seen."""
    if analysis.registries is None:
        analysis.registries = dict(_declared(analysis.names))
    for symbol in _family(analysis.names, model) if analysis.registries else ():
        found = analysis.registries.get(symbol)
        if found is not None:
            module, registry = found
            value = construction.evaluate_in(analysis, module, module.body, registry)
            return value if isinstance(value, Factory) else None
    return None


def _family(names: Names, model: ClassSymbol) -> Iterator[Symbol]:
    """The class and its bases; of those that a call made, the variables that they are in."""
    for cls in names.mro(model):
        if isinstance(cls, ClassSymbol):
            yield cls
            bases = (names.resolve(cls.module, base, names.enclosing(cls.module, cls.cls)) for base in cls.cls.bases)
            yield from (base for base in bases if isinstance(base, VariableSymbol))


def _declared(names: Names) -> Iterator[tuple[Symbol, tuple[Module, Expr]]]:
    """The classes and variables that a registry gives its property, and the expression for it as its module sees it."""
    for module in names.codebase.modules:
        if "query_property" in module.body.mentions:
            for step in (step for block in module.body.blocks for step in block.steps):
                match step:
                    case Assign(Attr(base, "query", _), Call(Attr(registry, "query_property", _))):
                        symbol = names.resolve(module, base)
                        if symbol is not None:
                            yield symbol, (module, registry)
            for cls in classes_within(module.body):
                for field in cls.fields:
                    match field.name, field.value:
                        case "query", Call(Attr(registry, "query_property", _)):
                            yield names.class_symbol(module, cls), (module, registry)
