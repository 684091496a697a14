"""Readers of the source tree for `test_layers`: imports, definitions and names, without importing anything."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pdekit"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folder: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "cards" not in path.relative_to(folder).parts)


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file, read once; not to be changed."""
    return ast.parse(path.read_text(), filename=str(path))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(nodes: Iterable[ast.AST], path: Path) -> list[str]:
    """Full names of all modules that nodes of a syntax tree import, relative imports resolved."""
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, path)
            names += [f"{source}.{alias.name}" for alias in node.names] if source == "pdekit" else [source]
    return names


def _source(node: ast.ImportFrom, path: Path) -> str:
    package = ("pdekit", *path.relative_to(PACKAGE).parent.parts)
    base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
    return ".".join(part for part in (base, node.module) if part)


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those in functions and under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.Lambda) and not _checks_types(child):
            yield from run_at_import(child)


def _checks_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _checks_types(child):
            yield from _walk(child)


def edges(path: Path) -> set[str]:
    """Modules of pdekit that a file imports anywhere but under `if TYPE_CHECKING`."""
    known, found = _known(), set()
    for node in _walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, path)
            full = {f"{source}.{alias.name}" for alias in node.names}
            found |= (full & known) | ({source} if full - known else set())
    return (found & known) - {dotted(path)}


@cache
def _known() -> frozenset[str]:
    return frozenset(dotted(path) for path in modules())


def functions(trees: Iterable[tuple[ast.Module, str]] | None = None) -> Iterator[tuple[str, Function]]:
    """All functions and methods, nested ones too, with their place "file:Class.method"; of the package by default."""
    for tree, place in trees or ((parse(path), f"{name(path)}:") for path in modules()):
        yield from _inside(tree, place)


def _inside(node: ast.AST, place: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, Function | ast.ClassDef)
        here = f"{place}{child.name}" if named else place
        if isinstance(child, Function):
            yield here, child
        yield from _inside(child, f"{here}." if named else place)


def public_definitions(tree: ast.Module) -> Iterator[str]:
    """Names of the functions and classes at the top of a module that do not begin with an underscore."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def top_names(tree: ast.Module) -> set[str]:
    """All names that a module binds at its top, under `if` and `try` too."""
    names = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
            case ast.If() | ast.Try() | ast.With():
                blocks = [node.body, getattr(node, "orelse", []), getattr(node, "finalbody", [])]
                blocks += [handler.body for handler in getattr(node, "handlers", [])]
                names |= set().union(*(top_names(ast.Module(block, [])) for block in blocks))
    return names
