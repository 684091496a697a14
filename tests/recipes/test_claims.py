"""One process has a part at a time; a dead one loses it, a living one does not."""

import json
import os
import subprocess
import threading

import pytest

from pdekit.recipes import claims
from pdekit.recipes.claims import Observer, claimed


def test_one_of_two_has_a_claim_and_gives_it_back(tmp_path):
    observer = Observer(tmp_path)
    assert observer.free(["a", "b"]) == {"a": 0, "b": 0}
    with claimed(tmp_path, "a", 0) as mine, claimed(tmp_path, "a", 0) as other:
        assert mine and not other
        assert observer.free(["a", "b"]) == {"b": 0}
    assert observer.free(["a", "b"]) == {"a": 0, "b": 0} and not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path, "a", 0):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with claimed(tmp_path / "none", "a", 0) as mine:
        assert not mine


@pytest.mark.skipif(not claims.PROCESSES.is_dir(), reason="other systems have no /proc: there the heartbeat decides")
def test_a_claim_of_a_process_that_has_ended_is_taken_over_at_once(tmp_path):
    process = subprocess.Popen(["true"])
    started = claims._start(process.pid)
    process_owner = claims._owner() | {"pid": process.pid, "start": started or "1"}
    (tmp_path / "a.claim-0").write_text(json.dumps(process_owner))
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet buried
    assert Observer(tmp_path).free(["a"]) == {"a": 1}
    process.wait()
    assert Observer(tmp_path).free(["a"]) == {"a": 1}
    (tmp_path / "a.claim-1").write_text(json.dumps(claims._owner() | {"start": "1"}))  # the number was given again
    assert Observer(tmp_path).free(["a"]) == {"a": 2}
    with claimed(tmp_path, "a", 2) as mine, claimed(tmp_path, "a", 2) as other:
        assert mine and not other and Observer(tmp_path).free(["a"]) == {}


def test_a_claim_of_another_machine_lives_as_long_as_its_heart_beats(tmp_path, monkeypatch):
    path, clock = tmp_path / "a.claim-3", [0.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: clock[0])
    path.write_text(json.dumps({"machine": "far away", "pid": 1, "start": None}))
    observer = Observer(tmp_path)
    for second in (0, 100, 200, 300):
        os.utime(path, (second, second))  # its clock is another one
        clock[0] = float(second)
        assert observer.free(["a"]) == {}
    clock[0] = 300 + claims.STALE
    assert observer.free(["a"]) == {}
    clock[0] += 1
    assert observer.free(["a"]) == {"a": 4}


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.001)
    beaten, original = threading.Event(), os.utime
    monkeypatch.setattr(claims.os, "utime", lambda path: (original(path), beaten.set()))
    with claimed(tmp_path, "a", 0):
        assert beaten.wait(10)


def test_a_claim_that_is_being_written_is_alive(tmp_path):
    (tmp_path / "a.claim-0").touch()
    assert Observer(tmp_path).free(["a"]) == {}


def test_a_full_disk_leaves_no_claim(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(claims, "to_json", full)
    with pytest.raises(OSError, match="the disk is full; free some space"), claimed(tmp_path, "a", 0):
        pass
    assert not list(tmp_path.iterdir())
