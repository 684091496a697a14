"""README, docs and docstrings: line width, links that lead somewhere, and plain beginnings."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CARDS = sorted([*(ROOT / "datasets").glob("*/README.md"), *(ROOT / "datasets" / "published").glob("*.md")])
LINK = re.compile(r"\]\(([^()\s]+)\)")
INDIRECT = re.compile(r'^ *[rf]?"""(?:What|Whether|Where|How|Which|Why|When|Who|If)\b.*', re.MULTILINE)
UNUSUAL = re.compile(r"\b(beside|told|anew|dear|dearer|mend|mended|nobody|somebody)\b", re.IGNORECASE)
REFUSAL = re.compile(r'raise (?:ValueError|TypeError|FileNotFoundError|FileFault)\(\s*((?:f?["\'][^\n]*["\'],?\s*)+)\)')
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def wrap():
    spec = importlib.util.spec_from_file_location("wrap", ROOT / "docs" / "wrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name(path):
    return str(path.relative_to(ROOT))


def test_prose_has_at_most_88_columns():
    wide = {name(path): lines for path in PAGES if (lines := wrap().wide_lines(path.read_text()))}
    assert not wide, f"python docs/wrap.py {' '.join(wide)}"


def test_docstrings_begin_with_a_verb_or_a_noun():
    sources = sorted(ROOT.glob("pdekit/**/*.py"))
    found = [f"{name(path)}: {match.strip()}" for path in sources for match in INDIRECT.findall(path.read_text())]
    assert not found, "begin with a verb or a noun, e.g. 'Return the energy ...' or 'True if ...'"


@pytest.mark.parametrize("text", ['"""What it is."""', '    """Whether all are finite."""', 'r"""How: $x$.'])
def test_indirect_beginnings_are_found(text):
    assert INDIRECT.findall(f"x = 1\n{text}\n") == [text]


def test_errors_say_what_to_do():
    found = [
        f"{name(path)}: {said.strip()}"
        for path in sorted(ROOT.glob("pdekit/**/*.py"))
        for said in REFUSAL.findall(path.read_text())
        if re.match(r"""f?["']expected""", said) and ";" not in said and ": use" not in said
    ]
    assert not found, "write 'expected ..., found ...; what to do'"


def test_words_are_those_of_the_field():
    sources = [*PAGES, *(path for kind in ("py", "yaml", "j2") for path in sorted(ROOT.glob(f"pdekit/**/*.{kind}")))]
    found = {name(path): words for path in sources if (words := UNUSUAL.findall(path.read_text()))}
    assert not found, "write plain technical English: next to, given, again, expensive, fix"


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path):
    """Addresses of headings, as MyST and GitHub make them."""
    titles = HEADING.findall(without_code_blocks(path.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def without_code_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", [*PAGES, *CARDS, ROOT / "CHANGELOG.md"], ids=name)
def test_links_lead_somewhere(path):
    broken = []
    for target in LINK.findall(without_code(path.read_text())):
        if re.match(r"[a-z]+:|reference/", target):  # the pages of reference/ are written by the build
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file) if file else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


def test_the_architecture_names_folders_and_files_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", text)
    assert len(named) > 30
    assert not [path for path in named if not (ROOT / path).exists() and not (ROOT / "pdekit" / path).exists()]


TEXT = """# A heading that is wider than the limit of eighty-eight columns and stays as it is, because it is one

- an item of a list with words that go on and on until the line is too long for anybody to read it with ease
  and more words
- short

A paragraph with `code` that ends in a number at the start of a line where it would be a list: it was 1 - 2 of these.

```
code that is wider than the limit of eighty-eight columns and stays as it is because it is code, not prose at all
```
"""


def test_wrapping_fills_prose_and_nothing_else():
    module = wrap()
    found = module.wrapped(TEXT)
    assert module.wide_lines(TEXT) and not module.wide_lines(found)
    assert found.split() == TEXT.split(), "the same words"
    assert module.wrapped(found) == found
    assert TEXT.split("\n")[0] in found and "code that is wider than the limit of eighty-eight columns and" in found
    assert not re.search(r"^- 2", found, re.MULTILINE)
    assert "- short\n" in found
