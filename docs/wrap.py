"""Wrap the prose of Markdown files at 88 columns: ``python docs/wrap.py README.md docs/*.md``.

Paragraphs and list items with a longer line are filled again. Code, tables, headings, quotations and HTML stay.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

WIDTH = 88
FENCE = re.compile(r"\s*(```|~~~|:::)")
ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+")
KEPT = re.compile(r"\s*(\||#|>|<|\[[^]]+\]:|!\[|%)")
SYNTAX = re.compile(r"([-*+]|\d+[.)]|#+|>.*|\|.*|=+|-+)$")  # a word that means something else at the start of a line


def blocks(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Groups of lines, and whether they are a paragraph or a list item."""
    group: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = FENCE.match(line) is not None
        prose = not (fenced or fence or not line.strip() or KEPT.match(line))
        if group and (not prose or ITEM.match(line)):
            yield True, group
            group = []
        if prose:
            group.append(line)
        else:
            yield False, [line]
        fenced ^= fence
    if group:
        yield True, group


def is_wide(lines: list[str]) -> bool:
    """Whether a line could have been broken and is not; an address or code longer than a line cannot be."""
    return any(len(line) > WIDTH and len(line.split()) > len(line[:1].split()) + 1 for line in lines)


def wide_lines(text: str) -> list[str]:
    """Lines of prose that are wider than they have to be."""
    return [line for prose, lines in blocks(text) if prose for line in lines if is_wide([line])]


def filled(lines: list[str]) -> list[str]:
    """A paragraph or list item, filled again."""
    item = ITEM.match(lines[0])
    first = item.group(0) if item else lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    words = " ".join([lines[0][len(first) :], *(line.strip() for line in lines[1:])])
    options = {"break_long_words": False, "break_on_hyphens": False}
    found = textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), **options)
    for i in range(1, len(found)):
        if SYNTAX.match(found[i].split()[0]):  # take a word of the line before it along
            before, _, word = found[i - 1].rpartition(" ")
            found[i - 1], found[i] = before, f"{' ' * len(first)}{word} {found[i].strip()}"
    return found


def wrapped(text: str) -> str:
    """The text with all its wide paragraphs filled again."""
    found: list[str] = []
    for prose, lines in blocks(text):
        hard = any(line.endswith(("  ", "\\")) for line in lines)
        found += filled(lines) if prose and is_wide(lines) and not hard else lines
    return "\n".join(found)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(wrapped(Path(name).read_text()))
