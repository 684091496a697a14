"""The site: `make docs`. Nothing is fetched; the reference is written from the docstrings."""

import os
import re
from pathlib import Path

import pdekit

project = "pdekit"
author = "The pdekit authors"
copyright = "The pdekit authors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "pdekit"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
suppress_warnings = ["ref.python"]  # a name such as `time` has several homes
napoleon_numpy_docstring = False
napoleon_use_rtype = False

os.environ.setdefault("OMP_NUM_THREADS", "1")
SOURCE = Path(pdekit.__file__).parent
REFERENCE = Path(__file__).parent / "reference"


def write_reference(app) -> None:
    """Write one page per module and one list of pages per package; a new file needs no entry."""
    modules = sorted(path for path in SOURCE.rglob("*.py") if "cards" not in path.relative_to(SOURCE).parts)
    names = [module_name(path) for path in modules]
    REFERENCE.mkdir(exist_ok=True)
    wanted = {REFERENCE / f"{name}.rst": page(name, children(name, names)) for name in names}
    for old in set(REFERENCE.glob("*.rst")) - set(wanted):
        old.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(("pdekit", *(part for part in parts if part != "__init__")))


def children(name: str, names: list[str]) -> list[str]:
    return [other for other in names if other.rpartition(".")[0] == name]


def page(name: str, pages: list[str]) -> str:
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :members:", "   :ignore-module-all:"]
    if pages:
        lines += ["", ".. toctree::", "   :maxdepth: 1", "", *(f"   {other}" for other in pages)]
    return "\n".join(lines) + "\n"


LITERAL = re.compile(r"``.+?``|`[^`]+`")
MARKUP = re.compile(r"([\\*|`_])")


def write_as_rest(app, what, name, thing, options, lines) -> None:
    """Turn a plain docstring into reST, before napoleon reads its sections.

    `name` becomes a literal, an indented formula after a colon becomes a literal block, and the signs that reST takes
    for markup (u * u, |k|, u_x) are escaped everywhere else. Examples stay as they are.
    """
    block = None  # indentation of the line before a literal block
    example = False
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if block is None and not example:
            starts = formula_follows(lines[number : number + 3])
            block = indent if starts else None
            lines[number] = escaped(line) + (":" if starts else "")


def formula_follows(lines: list[str]) -> bool:
    """Return whether a line with a colon, a blank line and an indented line that is no list follow each other."""
    if len(lines) < 3 or not lines[0].rstrip().endswith(":") or lines[1].strip():
        return False
    depth = [len(line) - len(line.lstrip()) for line in lines]
    return depth[2] > depth[0] and not lines[2].lstrip().startswith(("- ", ">>>"))


def escaped(line: str) -> str:
    parts, end = [], 0
    for literal in LITERAL.finditer(line):
        after = line[literal.end() : literal.end() + 1]
        parts += [MARKUP.sub(r"\\\1", line[end : literal.start()]), "``" + literal[0].strip("`") + "``"]
        parts += ["\\ "] if after.isalnum() or after in ("^", "(", "*", "=") else []
        end = literal.end()
    return "".join([*parts, MARKUP.sub(r"\\\1", line[end:])])


def setup(app) -> None:
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", write_as_rest, priority=100)
