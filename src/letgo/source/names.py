"""What a name means: from an expression in one module to the definition it stands for in another.

An index over a `CodeBase`. Everything is computed when it is first asked for, and remembered.
"""

import builtins
from collections.abc import Collection
from typing import NamedTuple

from letgo.source.codebase import CodeBase
from letgo.source.definitions import assigned, by_name, classes_within, functions_within, note_enclosing
from letgo.source.modules import ModuleIndex
from letgo.source.program import (
    Assign,
    Attr,
    Call,
    Class,
    Const,
    Expr,
    Field,
    Function,
    Import,
    Item,
    Module,
    Name,
    Sequence,
)
from letgo.source.symbols import ClassSymbol, External, FunctionSymbol, ModuleSymbol, Symbol, VariableSymbol

__all__ = ["ClassSymbol", "External", "FunctionSymbol", "ModuleSymbol", "Names", "Symbol", "VariableSymbol"]

_BUILTINS = frozenset(dir(builtins))

_LONGEST_WAY = 50
"""How many imports and aliases a name is followed through: Python's stack holds no more than some hundreds."""


class _Scope(NamedTuple):
    """What a module's own statements bind."""

    functions: dict[str, Function]
    classes: dict[str, Class]
    imports: dict[str, Import]
    stars: tuple[Import, ...]


class Names:
    """Resolves the names of one code base. Symbols of one `Names` mean nothing to another."""

    def __init__(self, codebase: CodeBase) -> None:
        self.codebase = codebase
        self._modules = ModuleIndex(codebase)
        self._symbols: dict[tuple[object, ...], Symbol] = {}
        self._scopes: dict[int, _Scope] = {}
        self._globals: dict[tuple[int, str], Symbol | None] = {}
        self._resolving: set[tuple[int, str]] = set()
        self._cycle_met = False
        self._assignments: dict[int, dict[str, tuple[Assign, ...]]] = {}
        self._assigners: dict[int, Function] = {}
        self._enclosing: dict[int, dict[int, Function]] = {}
        self._bases: dict[ClassSymbol, tuple[ClassSymbol | External, ...]] = {}
        self._mros: dict[ClassSymbol, tuple[ClassSymbol | External, ...]] = {}
        self._methods: dict[ClassSymbol, dict[str, Function]] = {}
        self._found_methods: dict[tuple[ClassSymbol, str], FunctionSymbol | None] = {}
        self._classes: tuple[ClassSymbol, ...] | None = None
        self._derived: dict[ClassSymbol, list[ClassSymbol]] | None = None
        self._by_method: dict[str, list[FunctionSymbol]] | None = None

    # --- symbols, made once each -------------------------------------------------------------------------------------

    def module_symbol(self, module: Module) -> ModuleSymbol:
        symbol = self._symbols.get((id(module),))
        if symbol is None:
            symbol = self._symbols[(id(module),)] = ModuleSymbol(module)
        assert isinstance(symbol, ModuleSymbol)
        return symbol

    def class_symbol(self, module: Module, cls: Class) -> ClassSymbol:
        symbol = self._symbols.get((id(module), id(cls)))
        if symbol is None:
            symbol = self._symbols[(id(module), id(cls))] = ClassSymbol(module, cls)
        assert isinstance(symbol, ClassSymbol)
        return symbol

    def function_symbol(self, module: Module, function: Function, owner: ClassSymbol | None = None) -> FunctionSymbol:
        symbol = self._symbols.get((id(module), id(function)))
        if symbol is None:
            symbol = self._symbols[(id(module), id(function))] = FunctionSymbol(module, function, owner)
        assert isinstance(symbol, FunctionSymbol)
        return symbol

    def variable_symbol(self, module: Module, name: str) -> VariableSymbol:
        symbol = self._symbols.get((id(module), name))
        if symbol is None:
            symbol = self._symbols[(id(module), name)] = VariableSymbol(module, name)
        assert isinstance(symbol, VariableSymbol)
        return symbol

    # --- modules and imports -----------------------------------------------------------------------------------------

    def module(self, dotted: str, *, importer: Module | None = None) -> Module | None:
        """The module that `import dotted` finds, seen from `importer`; None when it is not of this code base."""
        return self._modules.find(dotted, importer)

    def imported(self, module: Module, entry: Import) -> Symbol | None:
        """What an import statement in `module` binds; None when it leads nowhere in the code base."""
        if entry.level:
            parts = self._modules.relative(module, entry.level, entry.module)
            target = self._modules.at(parts) if parts else None
        else:
            parts = ()
            target = self._modules.find(entry.module, module)
        if entry.symbol is None:
            if target is not None:
                return self.module_symbol(target)
            return None if entry.level else External(entry.module)
        if target is not None:
            return self._attribute(target, entry.symbol)
        if entry.level:  # a package without __init__.py
            submodule = self._modules.at((*parts, entry.symbol)) if parts else None
            return self.module_symbol(submodule) if submodule else None
        dotted = f"{entry.module}.{entry.symbol}"
        submodule = self._modules.find(dotted, module)
        return self.module_symbol(submodule) if submodule else External(dotted)

    def _attribute(self, module: Module, name: str) -> Symbol | None:
        """`module.name`: what the module binds, else its submodule."""
        found = self._global(module, name)
        if found is not None and not isinstance(found, VariableSymbol):
            return found
        submodule = self._modules.submodule(module, name)
        if submodule is not None and found is None:
            return self.module_symbol(submodule)
        if found is None and "__getattr__" in self._scope(module).functions:
            return self.variable_symbol(module, name)
        return found

    # --- names -------------------------------------------------------------------------------------------------------

    def lookup(self, module: Module, name: str) -> Symbol | None:
        """The global or builtin `name` as code in `module` sees it."""
        found = self._global(module, name)
        if found is None and name in _BUILTINS:
            return External(f"builtins.{name}")
        return found

    def _global(self, module: Module, name: str) -> Symbol | None:
        key = (id(module), name)
        if key in self._globals:
            return self._globals[key]
        if key in self._resolving or len(self._resolving) > _LONGEST_WAY:
            self._cycle_met = True
            return None
        self._resolving.add(key)
        try:
            found = self._binding(module, name)
        finally:
            self._resolving.discard(key)
        # "Not found" inside a cycle of imports only means "not found on this way round".
        if found is not None or not self._cycle_met:
            self._globals[key] = found
        if not self._resolving:
            self._cycle_met = False
            self._globals[key] = found
        return found

    def _binding(self, module: Module, name: str) -> Symbol | None:
        scope = self._scope(module)
        if name in scope.classes:
            return self.class_symbol(module, scope.classes[name])
        if name in scope.functions:
            return self.function_symbol(module, scope.functions[name])
        if name in scope.imports:
            found = self.imported(module, scope.imports[name])
            if found is not None:
                return found
        if (name in module.body.names and name not in scope.imports) or self.assignments(module, name):
            return self._alias(module, name) or self.variable_symbol(module, name)
        return self._from_star(module, scope, name)

    def _alias(self, module: Module, name: str) -> Symbol | None:
        """`name = other` where that is its one assignment."""
        match self.assignments(module, name):
            case (Assign(value=Name() | Attr() as value),):
                return self.resolve(module, value)
        return None

    def _from_star(self, module: Module, scope: _Scope, name: str) -> Symbol | None:
        outside: list[str] = []
        for entry in scope.stars:
            origin = self.imported(module, entry._replace(symbol=None))
            if isinstance(origin, ModuleSymbol):
                if origin.module is not module and self._exports(origin.module, name):
                    found = self._global(origin.module, name)
                    if found is not None:
                        return found
            elif isinstance(origin, External):
                outside.append(origin.dotted)
        if len(outside) == 1 and name not in _BUILTINS and not name.startswith("_"):
            return External(f"{outside[0]}.{name}")
        return None

    def _exports(self, module: Module, name: str) -> bool:
        """Whether `from module import *` brings `name`."""
        listed = [step.value for step in self.assignments(module, "__all__")]
        if len(listed) == 1 and isinstance(listed[0], Sequence):
            return Const(name) in listed[0].items
        return not name.startswith("_")

    def _scope(self, module: Module) -> _Scope:
        scope = self._scopes.get(id(module))
        if scope is None:
            body = module.body
            scope = self._scopes[id(module)] = _Scope(
                functions=by_name(body.functions),
                classes={cls.name: cls for cls in body.classes},
                imports={entry.name: entry for entry in body.imports if entry.name != "*"},
                stars=tuple(entry for entry in body.imports if entry.name == "*"),
            )
        return scope

    def assignments(self, module: Module, name: str) -> tuple[Assign, ...]:
        """The assignments of a module-level variable, also from functions that declare it `global`.

        `a, b = f()` is given as `a = f()[0]`, `b = f()[1]`.
        """
        table = self._assignments.get(id(module))
        if table is None:
            collected: dict[str, list[Assign]] = {}
            for target, step in assigned(module.body):
                collected.setdefault(target, []).append(step)
            for function in functions_within(module.body):
                if function.globals:
                    for target, step in assigned(function):
                        if target in function.globals and not self._is_nonlocal(module, function, target):
                            collected.setdefault(target, []).append(step)
                            self._assigners[id(step)] = function
            table = self._assignments[id(module)] = {key: tuple(steps) for key, steps in collected.items()}
        return table.get(name, ())

    def assigner(self, module: Module, step: Assign) -> Function:
        """The function in whose body one of a module's `assignments` stands; for most, the module's own."""
        return self._assigners.get(id(step), module.body)

    def _is_nonlocal(self, module: Module, function: Function, name: str) -> bool:
        around = self.enclosing(module, function)
        while around is not None and around is not module.body:
            if name in around.names:
                return True
            around = self.enclosing(module, around)
        return False

    def resolve(self, module: Module, expr: Expr, function: Function | None = None) -> Symbol | None:
        """What a dotted name stands for, seen from the top of `module` or from inside `function` of it.

        None for any other expression, and where a local variable has the name.
        """
        path = []
        while isinstance(expr, Attr):
            path.append(expr.name)
            expr = expr.value
        if not isinstance(expr, Name):
            return None
        found = self.lookup(module, expr.id) if function is None else self._local(module, expr.id, function)
        while path and found is not None:
            found = self.member(found, path.pop())
        return found

    def _local(self, module: Module, name: str, function: Function) -> Symbol | None:
        scope: Function | None = function
        while scope is not None and scope is not module.body:
            if name in scope.globals:  # or declared nonlocal
                scope = self.enclosing(module, scope)
                continue
            for nested in reversed(scope.functions):
                if nested.name == name:
                    return self.function_symbol(module, nested)
            for cls in scope.classes:
                if cls.name == name:
                    return self.class_symbol(module, cls)
            for entry in scope.imports:
                if entry.name == name:
                    return self.imported(module, entry)
            if name in scope.names or any(param.name == name for param in scope.params):
                return None
            scope = self.enclosing(module, scope)
        return self.lookup(module, name)

    def enclosing(self, module: Module, inner: Function | Class) -> Function | None:
        """The function (or the module's body) that `inner` of `module` is written in, whatever class is between."""
        table = self._enclosing.get(id(module))
        if table is None:
            table = self._enclosing[id(module)] = {}
            note_enclosing(module.body, table)
        return table.get(id(inner))

    def member(self, symbol: Symbol, name: str) -> Symbol | None:
        """`symbol.name`: of a module, a class (a method through its bases, a nested class) or something external."""
        match symbol:
            case ModuleSymbol(module=module):
                return self._attribute(module, name)
            case ClassSymbol():
                method = self.find_method(symbol, name)
                return method if method is not None else self._nested_class(symbol, name)
            case External(dotted=dotted):
                submodule = self._modules.find(f"{dotted}.{name}", None)  # in a package without __init__.py
                return self.module_symbol(submodule) if submodule else External(f"{dotted}.{name}")
        return None

    def _nested_class(self, symbol: ClassSymbol, name: str) -> ClassSymbol | None:
        for cls in self.mro(symbol):
            if isinstance(cls, ClassSymbol):
                for nested in cls.cls.classes:
                    if nested.name == name:
                        return self.class_symbol(cls.module, nested)
        return None

    # --- classes -----------------------------------------------------------------------------------------------------

    def bases(self, cls: ClassSymbol) -> tuple[ClassSymbol | External, ...]:
        """The bases that are known; `Base[T]` counts as `Base`."""
        known = self._bases.get(cls)
        if known is None:
            self._bases[cls] = ()
            found = (self._base(cls, expr) for expr in cls.cls.bases)
            known = self._bases[cls] = tuple(base for base in found if base is not None and base is not cls)
        return known

    def _base(self, cls: ClassSymbol, expr: Expr) -> ClassSymbol | External | None:
        if isinstance(expr, Item):
            return self._base(cls, expr.value)
        function = self.enclosing(cls.module, cls.cls)
        if isinstance(expr, Call):
            made_by = self.resolve(cls.module, expr.func, function)
            return External(f"{made_by.dotted}()") if isinstance(made_by, External) else None
        match self.resolve(cls.module, expr, function):
            case ClassSymbol() | External() as base:
                return base
            case VariableSymbol(module=module, name=name):
                for step in self.assignments(module, name):
                    if isinstance(step.value, Call):
                        made_by = self.resolve(module, step.value.func)
                        if isinstance(made_by, External):
                            return External(f"{made_by.dotted}()")
        return None

    def mro(self, cls: ClassSymbol) -> tuple[ClassSymbol | External, ...]:
        """The class and all its bases, depth first, each once: close to Python's order, and never an error."""
        known = self._mros.get(cls)
        if known is None:
            order: dict[ClassSymbol | External, None] = {}
            pending: list[ClassSymbol | External] = [cls]
            while pending:
                current = pending.pop()
                if current not in order:
                    order[current] = None
                    if isinstance(current, ClassSymbol):
                        pending.extend(reversed(self.bases(current)))
            known = self._mros[cls] = tuple(order)
        return known

    def find_method(self, cls: ClassSymbol, name: str) -> FunctionSymbol | None:
        key = (cls, name)
        if key not in self._found_methods:
            self._found_methods[key] = self._find_method(cls, name)
        return self._found_methods[key]

    def _find_method(self, cls: ClassSymbol, name: str) -> FunctionSymbol | None:
        for base in self.mro(cls):
            if isinstance(base, ClassSymbol):
                methods = self._methods.get(base)
                if methods is None:
                    methods = self._methods[base] = by_name(base.cls.methods)
                if name in methods:
                    return self.function_symbol(base.module, methods[name], base)
        return None

    def find_field(self, cls: ClassSymbol, name: str) -> tuple[ClassSymbol, Field] | None:
        for base in self.mro(cls):
            if isinstance(base, ClassSymbol):
                for field in reversed(base.cls.fields):
                    if field.name == name:
                        return base, field
        return None

    def is_subclass(self, cls: ClassSymbol, dotted: Collection[str]) -> bool:
        """Whether an external base of `cls`, however far up, is one of the `dotted` names."""
        return any(isinstance(base, External) and base.dotted in dotted for base in self.mro(cls))

    def classes(self) -> tuple[ClassSymbol, ...]:
        """Every class of the code base, nested ones too."""
        if self._classes is None:
            self._classes = tuple(
                self.class_symbol(module, cls)
                for module in self.codebase.modules
                for cls in classes_within(module.body)
            )
        return self._classes

    def subclasses(self, cls: ClassSymbol) -> tuple[ClassSymbol, ...]:
        """All classes below `cls`, not itself."""
        if self._derived is None:
            self._derived = {}
            for candidate in self.classes():
                for base in self.bases(candidate):
                    if isinstance(base, ClassSymbol):
                        self._derived.setdefault(base, []).append(candidate)
        found: dict[ClassSymbol, None] = {}
        pending = list(self._derived.get(cls, ()))
        while pending:
            current = pending.pop(0)
            if current not in found and current is not cls:
                found[current] = None
                pending.extend(self._derived.get(current, ()))
        return tuple(found)

    def methods_named(self, name: str) -> tuple[FunctionSymbol, ...]:
        """The methods of that name in all classes of the code base."""
        if self._by_method is None:
            self._by_method = {}
            for cls in self.classes():
                for method in by_name(cls.cls.methods).values():
                    symbol = self.function_symbol(cls.module, method, cls)
                    self._by_method.setdefault(method.name, []).append(symbol)
        return tuple(self._by_method.get(name, ()))
