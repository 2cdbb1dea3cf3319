"""Making a name known in a module."""

import ast
import sys

from letgo.fix.edits import Edit, insert
from letgo.fix.syntax import Syntax
from letgo.fix.texts import Unfixable
from letgo.source.names import Names, VariableSymbol
from letgo.source.program import Module


def from_library(syntax: Syntax, module: str, name: str) -> tuple[str, list[Edit]]:
    """How `module.name` of a library is written here, and what must be inserted so that it is known."""
    for node in syntax.tree.body:
        match node:
            case ast.ImportFrom(module=found, names=names, level=0) if found == module:
                for alias in names:
                    if alias.name == name:
                        return alias.asname or name, []
            case ast.Import(names=names):
                for alias in names:
                    if alias.name == module:
                        return f"{alias.asname or module}.{name}", []
    if name in _bound(syntax):
        raise Unfixable(f"`{name}` already means something else here")
    return name, [_line(syntax, f"from {module} import {name}", module)]


def from_code(names: Names, home: Module, syntax: Syntax, variable: VariableSymbol) -> tuple[str, list[Edit]]:
    """The same for a variable of the code base, where the module imports something else from its module already."""
    if variable.module is home or names.lookup(home, variable.name) == variable:
        return variable.name, []
    if variable.name in _bound(syntax):
        raise Unfixable(f"`{variable.name}` already means something else in {home.path}")
    for entry in home.body.imports:
        found = names.imported(home, entry._replace(symbol=None)) if entry.symbol else None
        if getattr(found, "module", None) is variable.module:
            source = "." * entry.level + entry.module
            for node in syntax.tree.body:
                if (
                    isinstance(node, ast.ImportFrom)
                    and node.module == (entry.module or None)
                    and node.level == entry.level
                ):
                    return variable.name, [syntax.after(node, f"from {source} import {variable.name}")]
    raise Unfixable(f"{home.path} would have to import `{variable.name}`, and letgo does not know from where")


def _bound(syntax: Syntax) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(syntax.tree) if isinstance(node, ast.Name)) | frozenset(
        alias.asname or alias.name
        for node in ast.walk(syntax.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def _line(syntax: Syntax, code: str, module: str) -> Edit:
    """The import at the top of the file: among those of the standard library, where it sorts, or below all others."""
    own = [node for node in syntax.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = [node for node in own if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    library = [node for node in imports if _module(node).partition(".")[0] in sys.stdlib_module_names]
    if module.partition(".")[0] not in sys.stdlib_module_names and imports:
        return syntax.after(imports[-1], code)
    for node in library:
        if isinstance(node, ast.ImportFrom) and _module(node) > module:
            return syntax.before(node, code)
    if library:
        return syntax.after(library[-1], code)
    if imports:
        return syntax.before(imports[0], code, "")
    body = syntax.tree.body
    if own or ast.get_docstring(syntax.tree, clean=False) is not None:
        return syntax.after(own[-1] if own else body[0], "", code)
    return insert(0, code + syntax.line_end)


def _module(node: ast.Import | ast.ImportFrom) -> str:
    return (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
