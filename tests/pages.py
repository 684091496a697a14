"""Pages of docs/ followed to the letter: their code, and their commands run in a folder of a user."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from tests.entry_points import command, failure

ROOT = Path(__file__).parents[1]
SEARCH = "hydra.searchpath=[file://configs]"


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def blocks(name: str, language: str) -> list[str]:
    """The blocks of a language on a page; prompts of the interpreter and what it prints are taken off."""
    found = re.findall(rf"```{language}\n(.*?)\n```", page(name), re.DOTALL)
    if language != "python":
        return found
    return ["\n".join(line[4:] for line in text.splitlines() if line[:3] in (">>>", "...")) + "\n" for text in found]


def commands(name: str) -> list[list[str]]:
    """The words of each command of a page after "python -m", without the search path that is added here."""
    lines = [line for line in page(name).splitlines() if line.startswith("python -m pdekit.")]
    return [[word for word in line.split()[2:] if "searchpath" not in word] for line in lines]


def untrusted(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("trust")]


def in_a_process(folder: Path, *words: str) -> None:
    """Run a command in a folder, in a process of its own; it must succeed."""
    env = {name: value for name, value in os.environ.items() if name != "PDEKIT_DATA"} | {"PYTHONPATH": str(ROOT)}
    started = [sys.executable, "-m", *words, SEARCH]
    done = subprocess.run(started, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


def in_this_process(monkeypatch, folder: Path, *words: str) -> None:
    """Run a command in a folder whose modules can be imported, as ``python -m`` finds them."""
    _enter(monkeypatch, folder)
    command(monkeypatch, import_module(words[0]), *words[1:], SEARCH)


def refusal(monkeypatch, folder: Path, *words: str) -> str:
    """Run a command that ends with an error in a folder whose modules can be imported; return the error."""
    _enter(monkeypatch, folder)
    return failure(monkeypatch, import_module(words[0]), *words[1:], SEARCH)


def _enter(monkeypatch, folder: Path) -> None:
    monkeypatch.delenv("PDEKIT_DATA", raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for module in folder.glob("*.py"):  # of another folder, from an earlier test
        sys.modules.pop(module.stem, None)
