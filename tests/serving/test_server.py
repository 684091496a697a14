"""The local page: what the server answers, whom it refuses, and jobs that fail or wait."""

import base64
import dataclasses
import http.client
import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pdekit.data.arrays import Arrays
from pdekit.fields import Field, Grid
from pdekit.models.baselines.persistence import Persistence
from pdekit.runs import Run
from pdekit.serving.drawing import MOST_STROKES
from pdekit.serving.scenes import Studio, prompt_of
from pdekit.serving.server import MOST_BYTES, StudioServer
from pdekit.serving.worker import DONE, FAILED, MOST_WAITING, RUNNING, Worker
from tests.models.small import make_batch, make_problem


@contextmanager
def serving(studio):
    server = StudioServer(studio)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plane_studio(**options) -> Studio:
    problem = make_problem(grid=Grid((8, 4), (1.0, 2.0)), **options)
    return Studio(Run(Path("runs/one"), "persistence", Persistence(problem), {}), Arrays(problem, make_batch(problem)))


@pytest.fixture(scope="module")
def server():
    with serving(plane_studio()) as found:
        yield found


def ask(server, path, body=None, **headers):
    """Status, headers and JSON (or text) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    sent = {"Content-Type": "application/json"} if body is not None else {}
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, data, sent | headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, json.loads(text) if answer.headers["Content-Type"].endswith("json") else text


def finished(server, request):
    """State of a job at its end, and its result."""
    status, _, found = ask(server, "/jobs", request)
    assert status == 202, found
    for _ in range(500):
        state = ask(server, f"/jobs/{found['job']}")[2]
        if state["state"] in (DONE, FAILED):
            return state, ask(server, f"/jobs/{found['job']}/result")
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def test_the_page_and_its_parts_are_answered_and_nothing_else(server):
    status, headers, page = ask(server, "/")
    assert status == 200 and "pdekit studio" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/studio.js", "/charts.js", "/studio.css"):
        assert ask(server, path)[0] == 200 and path[1:] in page
    about = ask(server, "/about")[2]
    assert (about["run"], about["samples"], about["prompts"], about["grid"]) == ("one", 3, False, [8, 4])
    for path in ("/server.py", "/../worker.py", "/%2e%2e/worker.py", "/etc/passwd", "/jobs/99", "/jobs/x"):
        assert ask(server, path)[0] == 404, path


def test_other_names_and_origins_are_refused(server):
    """A page of another site may have a name that points here, and it may send forms."""
    here = f"127.0.0.1:{server.server_port}"
    assert ask(server, "/about", Host=f"localhost:{server.server_port}")[0] == 200
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1:1", "127.0.0.1", ""):
        assert ask(server, "/about", Host=host)[0] == 403, host
    job = {"kind": "forecast", "number": 0}
    assert ask(server, "/jobs", job, Origin=f"http://{here}")[0] == 202
    for origin in ("http://evil.example", "null", f"https://{here}"):
        assert ask(server, "/jobs", job, Origin=origin)[0] == 403, origin
    assert ask(server, "/jobs", job, **{"Content-Type": "text/plain"})[0] == 415
    assert server.server_address[0] == "127.0.0.1"


def test_a_forecast_starts_from_a_drawing(server):
    """One bump of field 1, near an edge of a periodic box of 1 by 2."""
    request = {"kind": "forecast", "number": 1, "strokes": [[1, 0.0, 0.25, 0.2, 3.0]]}
    state, (status, _, scene) = finished(server, request)
    assert (state["state"], status, scene["title"]) == (DONE, 200, "drawing on test trajectory 1")
    assert [panel["name"] for panel in scene["panels"]] == ["persistence"]
    u = np.frombuffer(base64.b64decode(scene["panels"][0]["values"]), "<f4").reshape(-1, 2, 8, 4)
    x, y = np.minimum(np.arange(8), 8 - np.arange(8)) / 8, np.array([0.5, 0.0, 0.5, 1.0])
    before = server.studio.test.read(1).u[0, 0].numpy()
    bump = 3.0 * np.exp(-(x[:, None] ** 2 + y**2) / (2 * 0.2**2))
    np.testing.assert_allclose(u[0, 1], before[1] + bump, atol=1e-5)
    np.testing.assert_allclose(u[0, 0], before[0], atol=1e-6)
    assert np.array_equal(u[0], u[-1]) and ask(server, "/about")[2]["draws"]
    state, _ = finished(server, request | {"strokes": [[2, 0.0, 0.25, 0.2, 3.0]]})
    assert state["state"] == FAILED and state["line"] == "expected a field from 0 to 1, got 2; choose one of these"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (MOST_BYTES + 1), 413),
        (b"[1]", 400),
        (b"{", 400),
        (b"[" * 9000, 400),
        ({"kind": "shell"}, 400),
        ({"kind": "forecast", "number": "../1"}, 400),
        ({"kind": "sample", "prompt": 3}, 400),
        ({"kind": "sample", "prompt": "a", "seed": [1]}, 400),
        (b'{"kind": "sample", "prompt": "a", "seed": 1e999}', 400),
        ({"kind": "forecast", "number": 0, "seed": 2**70}, 400),
        ({"kind": "forecast", "number": 0, "strokes": "all"}, 400),
        ({"kind": "forecast", "number": 0, "strokes": [[0, 0.5, 0.5, 0.1, 1.0]] * (MOST_STROKES + 1)}, 400),
        ({"kind": "forecast", "number": 0, "strokes": [[0, 0.5, 0.5, 0.1]]}, 400),
        ({"kind": "forecast", "number": 0, "strokes": [[True, 0.5, 0.5, 0.1, 1.0]]}, 400),
        ({"kind": "forecast", "number": 0, "strokes": [[0, 1.5, 0.5, 0.1, 1.0]]}, 400),
        ({"kind": "forecast", "number": 0, "strokes": [[0, 0.5, 0.5, 0.0, 1.0]]}, 400),
        (b'{"kind": "forecast", "number": 0, "strokes": [[0, 0.5, 0.5, 0.1, 1e999]]}', 400),
    ],
)
def test_wrong_requests_are_refused_and_the_server_goes_on(server, body, status):
    found = ask(server, "/jobs", body)
    assert found[0] == status and found[2]["error"].startswith("expected")
    assert ask(server, "/about")[0] == 200


def test_a_forecast_is_shown_next_to_the_stored_solution(server):
    state, (status, _, found) = finished(server, {"kind": "forecast", "number": 1, "seed": 3})
    assert (state["state"], status) == (DONE, 200)
    batch = server.studio.test.read(1)
    assert [panel["name"] for panel in found["panels"]] == ["persistence", "solver"]
    frames = [np.frombuffer(base64.b64decode(panel["values"]), "<f4").reshape(6, 2, 8, 4) for panel in found["panels"]]
    np.testing.assert_allclose(frames[1], batch.u[0], rtol=1e-6)
    np.testing.assert_allclose(frames[0], batch.u[0, :1].expand(6, -1, -1, -1), rtol=1e-6)
    error = found["curves"][0]
    assert error["title"] == "error over time (nRMSE)" and error["t"] == batch.t[0].tolist()
    u, r = batch.u[0, 0].double(), batch.u[0, -1].double()
    wanted = ((u - r).flatten(1).norm(dim=1) / r.flatten(1).norm(dim=1)).tolist()
    assert [line["values"][-1] for line in error["lines"]] == pytest.approx(wanted)
    assert len(found["spectrum"]["k"]) > 3 and found["extent"] == [1.0, 2.0]
    assert found["x"] == [0.125 * i for i in range(8)]


def test_a_job_that_fails_has_a_sentence(server):
    state, (status, _, found) = finished(server, {"kind": "forecast", "number": 7})
    assert state["state"] == FAILED and status == 409
    assert found["error"] == "expected a trajectory of the test split, got 7; 0 to 2"
    assert "from text, parameters or a first frame" in finished(server, {"kind": "sample", "prompt": "a"})[0]["line"]


def test_jobs_run_one_at_a_time_and_only_a_few_wait():
    worker, gate = Worker(), threading.Event()
    first = worker.submit(lambda report: gate.wait(10))
    while first.state != RUNNING:
        time.sleep(0.01)
    others = [worker.submit(lambda report, n=n: n) for n in range(MOST_WAITING)]
    assert all(others) and worker.submit(lambda report: None) is None

    def defect(report):
        raise KeyError("a defect")

    gate.set()
    while others[-1].state != DONE:
        time.sleep(0.01)
    assert [job.result for job in others] == list(range(MOST_WAITING))
    broken = worker.submit(defect)
    while broken.state != FAILED:
        time.sleep(0.01)
    assert "the terminal shows where" in broken.line and worker.submit(lambda report: 1) is not None


@pytest.mark.parametrize("kind", ["line", "volume", "masked"])
def test_scenes_of_other_problems(kind):
    options = {
        "line": {},
        "volume": {"grid": Grid((4, 4, 2), (1.0, 1.0, 1.0))},
        "masked": {"grid": Grid((8, 4), (1.0, 2.0)), "has_mask": True},
    }[kind]
    problem = make_problem(**options)
    batch = make_batch(problem)
    if kind == "masked":
        batch = dataclasses.replace(batch, mask=(torch.arange(4) > 0).float().expand(3, 2, 8, 4))
    found = Studio(Run(Path("r"), "p", Persistence(problem), {}), Arrays(problem, batch)).forecast(0, 0, print_nothing)
    values = np.frombuffer(base64.b64decode(found["panels"][1]["values"]), "<f4")
    assert values.size == 6 * 2 * np.prod(found["shape"]) and len(found["shape"]) == min(2, problem.ndim)
    assert np.isnan(values).any() == ("spectrum" not in found) == (kind == "masked")
    if kind == "volume":
        np.testing.assert_allclose(values.reshape(6, 2, 4, 4), batch.u[0, ..., 1], rtol=1e-6)
    json.dumps(found, allow_nan=False)


def print_nothing(share, line):
    pass


def test_a_port_that_is_taken_is_a_sentence(server):
    with pytest.raises(OSError, match=r"expected a port that this user may open .*choose port=0"):
        StudioServer(plane_studio(), server.server_port)


def test_runs_that_cannot_be_shown_are_refused():
    problem = make_problem(grid=Grid((), ()), fields=(Field("a"),))
    with pytest.raises(ValueError, match="expected a run on a uniform grid with axes"):
        Studio(Run(Path("r"), "p", Persistence(problem), {}), None)
    torch.testing.assert_close(prompt_of({"prompt": "a", "seed": 2, "guidance": 1}).guidance, 1.0)
