"""Every name that a function reads exists: neither the linter nor the type checker sees a missing import here,
because strings like "batch channel" in annotations would be taken for names."""

import builtins
import dis
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from tests.source_tree import PACKAGE, modules, parse


def global_names(code: CodeType) -> Iterator[str]:
    """The names that `code`, and the code inside it, look up in their module."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from global_names(constant)


def missing_names(path: Path, module_name: str) -> set[str]:
    """Names that the file looks up and neither its module, its classes, nor Python has."""
    code = compile(parse(path), str(path), "exec")
    module = importlib.import_module(module_name)
    known = set(vars(module)) | set(dir(builtins)) | names_in_classes(code)
    return set(global_names(code)) - known


def names_in_classes(code: CodeType) -> set[str]:
    """Names that bodies of classes store, and those that Python itself stores there."""
    found = {"__module__", "__qualname__", "__annotations__"}
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_NAME", "DELETE_NAME"):
            found.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_in_classes(constant)
    return found


def test_every_name_that_a_module_reads_exists():
    missing = {}
    for path in modules():
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        name = ".".join(part for part in parts if part != "__init__")
        if found := missing_names(path, name):
            missing[name] = sorted(found)
    assert not missing


def test_a_name_that_was_not_imported_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "lacks_an_import.py"
    path.write_text("import math\n\ndef area(radius):\n    return pi * math.sqrt(radius)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert missing_names(path, "lacks_an_import") == {"pi"}
