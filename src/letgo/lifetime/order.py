"""The order of modules: who imports before what is imported, as far as imports run in no circle.

Code mostly calls what its module imports, or what stands further down in it. No body of a function matters to this
order, so that it stays as it is while only these change.
"""

from collections.abc import Iterator

from letgo.source.names import Names
from letgo.source.program import Import, Module


def importers_first(names: Names) -> dict[int, int]:
    """A number for each module, by its `id`."""
    modules = list(_imported_first(names))
    return {id(module): number for number, module in enumerate(reversed(modules))}


def _imported_first(names: Names) -> Iterator[Module]:
    seen: set[int] = set()
    for root in names.codebase.modules:
        waiting = [(root, iter(root.body.imports))] if id(root) not in seen else []
        seen.add(id(root))
        while waiting:
            module, imports = waiting[-1]
            for entry in imports:
                found = imported(names, module, entry)
                if found is not None and id(found) not in seen:
                    seen.add(id(found))
                    waiting.append((found, iter(found.body.imports)))
                    break
            else:
                waiting.pop()
                yield module


def imported(names: Names, module: Module, entry: Import) -> Module | None:
    """The module that an import leads to: that which defines what is imported, where this is known."""
    symbol = names.imported(module, entry)
    return getattr(symbol, "module", None) or (None if entry.level else names.module(entry.module, importer=module))
