"""A server of one page on this machine: answers a browser here, and nothing else.

It listens on the loopback address. The Host header must name it, so that a page of another site whose name was made to
point here (DNS rebinding) is refused; a request that changes something must be JSON of the same origin, so that other
sites cannot send one. Nothing is read from disk for a request: paths are compared with a short list.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from pdekit.plain import to_json
from pdekit.serving.drawing import strokes_of
from pdekit.serving.scenes import Studio, prompt_of
from pdekit.serving.worker import DONE, FAILED, QueuedJob, Worker
from pdekit.typed_values import check_seed

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
MOST_BYTES = 16_384
"""Of the body of a request."""
MOST_CONNECTIONS = 16
FIRST_OF_USERS = 1024
"""The first port that needs no rights of the system."""
SECONDS = 10
"""Until a silent connection is closed."""
PATIENCE = 0.3
"""Seconds for which an answer about a job waits for its end."""
JOB = re.compile(r"/jobs/(\d{1,9})(/result)?")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
JSON, HTML, CSS, JS = "application/json", "text/html; charset=utf-8", "text/css", "text/javascript"


class StudioServer(ThreadingHTTPServer):
    """Serves the page of a studio on a port of the loopback address.

    Args:
        studio: what is shown.
        port: 0 takes a free one; see ``server_port``.

    Raises:
        OSError: if the port is taken, or reserved for the system.
    """

    daemon_threads = True

    def __init__(self, studio: Studio, port: int = 0):
        self.studio, self.worker = studio, Worker()
        self.places = BoundedSemaphore(MOST_CONNECTIONS)
        self.files = {
            "/": (HTML, (HERE / "studio.html").read_bytes()),
            "/studio.css": (CSS, (HERE / "studio.css").read_bytes()),
            "/studio.js": (JS, (HERE / "studio.js").read_bytes()),
            "/charts.js": (JS, (HERE / "charts.js").read_bytes()),
        }
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            raise OSError(
                error.errno,
                f"expected a port that this user may open and that is free, found {port}: {error.strerror}; choose "
                f"port=0 for a free one, or one from {FIRST_OF_USERS} on",
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    @property
    def address(self) -> str:
        """Address of the page, for a browser."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it if too many are open."""
        if not self.places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()


class Handler(BaseHTTPRequestHandler):
    """Answers one request; see the module."""

    server: StudioServer
    server_version, sys_version = "pdekit", ""
    timeout = SECONDS
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The page and its parts, the run, the state of a job, and its result."""
        if not self.admitted():
            return
        if self.path in self.server.files:
            kind, body = self.server.files[self.path]
            self.reply(HTTPStatus.OK, body, kind)
        elif self.path == "/about":
            self.reply_json(HTTPStatus.OK, self.server.studio.about())
        elif found := JOB.fullmatch(self.path):
            self.reply_job(self.server.worker.job(int(found[1])), whole=bool(found[2]))
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "expected the page, found another path; open /")

    def do_POST(self) -> None:
        """Submit a job: {"kind": "sample", ...} or {"kind": "forecast", ...}."""
        request = self.request_json() if self.admitted() else None
        if request is None:
            return
        studio, kind = self.server.studio, request.get("kind")
        try:
            if self.path != "/jobs" or kind not in ("sample", "forecast"):
                raise ValueError(f"expected kind sample or forecast at /jobs, got {kind!r}; correct the request")
            if kind == "sample":
                prompt = prompt_of(request)
                job = self.server.worker.submit(lambda report: studio.sample(prompt, report))
            else:
                number, seed = (request.get(name, 0) for name in ("number", "seed"))
                if type(number) is not int or type(seed) is not int:
                    raise ValueError(f"expected whole numbers, got {number!r} and {seed!r}; correct the request")
                check_seed(seed, "seed")
                strokes = strokes_of(request.get("strokes", []))
                job = self.server.worker.submit(lambda report: studio.forecast(number, seed, report, strokes))
        except ValueError as error:
            self.refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        if job is None:
            self.refuse(HTTPStatus.TOO_MANY_REQUESTS, "expected at most a few waiting jobs; wait for one to finish")
        else:
            self.reply_json(HTTPStatus.ACCEPTED, {"job": job.number})

    def admitted(self) -> bool:
        """True for a request that names this server; answers the others."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self.refuse(
                HTTPStatus.FORBIDDEN, f"expected the host {LOOPBACK}, found another one; open the address again"
            )
            return False
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}:
            self.refuse(HTTPStatus.FORBIDDEN, "expected a request of this page, found another origin")
            return False
        return True

    def request_json(self) -> dict[str, Any] | None:
        """Return the body of a request; answers what is no small JSON object."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,9}", length) or int(length) > MOST_BYTES or "Transfer-Encoding" in self.headers:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {MOST_BYTES} bytes")
            return None
        if self.headers.get_content_type() != JSON:
            self.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {JSON}, found another type")
            return None
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self.refuse(HTTPStatus.BAD_REQUEST, "expected a JSON object, found something else")
            return None
        return found

    def reply_job(self, job: QueuedJob | None, whole: bool) -> None:
        """Answer with the state of a job, or with its result."""
        if job is None:
            self.refuse(HTTPStatus.NOT_FOUND, "expected a job that is kept, found none; start it again")
        elif not whole:
            job.ended.wait(PATIENCE)
            self.reply_json(HTTPStatus.OK, {"state": job.state, "share": job.share, "line": job.line})
        elif job.state == DONE:
            self.reply_json(HTTPStatus.OK, job.result)
        else:
            line = job.line if job.state == FAILED else "expected a finished job; ask again later"
            self.refuse(HTTPStatus.CONFLICT, line)

    def refuse(self, status: HTTPStatus, line: str) -> None:
        """Answer with an error and close the connection: what follows in it was not read."""
        self.close_connection = True
        self.reply_json(status, {"error": line})

    def reply_json(self, status: HTTPStatus, value: Any) -> None:
        """Answer with JSON."""
        self.reply(status, to_json(value).encode(), JSON)

    def reply(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        """Answer with a body."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the terminal shows failures of jobs only."""
