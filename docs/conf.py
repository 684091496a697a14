"""The site: `make docs`. Nothing is fetched; the reference is written from the docstrings as they are."""

import os
from pathlib import Path

import pdekit

project = "pdekit"
author = "The pdekit authors"
copyright = "The pdekit authors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
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

os.environ.setdefault("OMP_NUM_THREADS", "1")
SOURCE = Path(pdekit.__file__).parent
REFERENCE = Path(__file__).parent / "reference"


def write_reference(app) -> None:
    """One page for each package and each module at the top; a new file needs no entry anywhere."""
    folders = sorted(p.parent for p in SOURCE.glob("*/__init__.py"))
    single = sorted(p for p in SOURCE.glob("*.py") if p.name != "__init__.py")
    pages = {f"pdekit.{f.name}": [f, *sorted(p for p in f.rglob("*.py") if p.name != "__init__.py")] for f in folders}
    pages |= {f"pdekit.{path.stem}": [path] for path in single}
    REFERENCE.mkdir(exist_ok=True)
    wanted = {REFERENCE / f"{page}.rst": rst(page, paths) for page, paths in pages.items()}
    for old in set(REFERENCE.glob("*.rst")) - set(wanted):
        old.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def rst(page: str, paths: list[Path]) -> str:
    lines = [page, "=" * len(page)]
    for path in paths:
        module = ".".join(("pdekit", *path.relative_to(SOURCE).with_suffix("").parts))
        if module != page:
            lines += ["", module, "-" * len(module)]
        lines += ["", f".. automodule:: {module}", "   :members:", "   :ignore-module-all:"]
    return "\n".join(lines) + "\n"


def keep_as_written(app, what, name, thing, options, lines) -> None:
    """Docstrings are plain text with formulas (``batch channel *space``), and are shown as they are."""
    if lines:
        lines[:] = ["::", "", *("    " + line for line in lines), ""]


def setup(app) -> None:
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", keep_as_written)
