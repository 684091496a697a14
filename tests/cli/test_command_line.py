"""Errors that a person can mend end with a sentence, whichever command met them."""

import errno
import re
from pathlib import Path

import pytest

from pdekit.cli.command_line import choices, take
from pdekit.cli.sentences import sentence_of, sentences

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "error, said",
    [
        (ValueError("expected a, got b; give a"), "error: expected a, got b; give a"),
        (FileNotFoundError("expected a run at x, found none"), "error: expected a run at x, found none"),
        (OSError(errno.ENOSPC, "expected 47 MB of free space; free some"), "error: expected 47 MB of free space; free"),
        (
            OSError(errno.ENOSPC, "No space left on device", "last.ckpt"),
            "error: No space left on device: last.ckpt; fr",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), "error: Permission denied: runs"),
    ],
)
def test_what_can_be_mended_is_said_in_a_sentence(monkeypatch, error, said):
    monkeypatch.delenv("PDEKIT_FULL_ERROR", raising=False)

    with pytest.raises(SystemExit) as end, sentences():
        raise error
    assert str(end.value).startswith(said)


def test_values_in_printed_commands_are_quoted():
    """A folder such as "my runs" or "a(1)" may stand in every command that pdekit prints."""
    wrong = []
    for path in sorted((ROOT / "pdekit").rglob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "python -m pdekit." in line:
                wrong += [(path.name, value) for value in re.findall(r"=\{([^}]*)", line) if value[:6] != "quote("]
    assert wrong == [("inspection.py", "name"), ("inspection.py", "model")], "letters, numbers and _.- only"


def test_a_defect_keeps_its_trace(monkeypatch):
    monkeypatch.delenv("PDEKIT_FULL_ERROR", raising=False)
    with pytest.raises(ZeroDivisionError), sentences():
        raise ZeroDivisionError


def test_the_trace_is_shown_when_asked_for(monkeypatch):
    monkeypatch.setenv("PDEKIT_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="expected a"), sentences():
        raise ValueError("expected a")


def test_ctrl_c_is_no_defect(capsys):
    with pytest.raises(SystemExit) as end, sentences():
        raise KeyboardInterrupt
    assert end.value.code == 130 and "stopped; the same command starts again" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end, sentences():
        raise KeyboardInterrupt("To go on: resume=RUN")
    assert end.value.code == 130 and "To go on: resume=RUN" in capsys.readouterr().out


def test_options_and_lists(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.yaml").write_text("# @package _global_\n# what it is\nx: 1\n")
    (tmp_path / "model" / "b.yaml").write_text("x: 1\n")
    assert choices("model", tmp_path) == {"a": "what it is", "b": ""}
    arguments = ["trust=mine", "model=a", "trust=[yours, 'theirs']"]
    assert take(arguments, "trust") == ["mine", "yours", "theirs"] and arguments == ["model=a"]
    assert take(["runs=a/[bc]*"], "runs") == ["a/[bc]*"], "a pattern is no list"


def test_a_full_disk_is_told_once_what_to_do():
    assert sentence_of(OSError(errno.ENOSPC, "No space left on device", "a.nc")).endswith("go on with resume=RUN")
    own = OSError(errno.ENOSPC, "expected room for 1 MB, found a full disk; free some", "a.nc")
    assert sentence_of(own) == "expected room for 1 MB, found a full disk; free some: a.nc"
