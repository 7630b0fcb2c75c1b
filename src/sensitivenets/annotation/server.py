"""The local page and what it asks for."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pyarrow.parquet as pq
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sensitivenets.annotation.decisions import (
    MAX_DECISIONS,
    read_annotator,
    read_class,
    read_decisions,
    read_queue,
    read_request,
)
from sensitivenets.annotation.events import Queue
from sensitivenets.annotation.export import label_columns
from sensitivenets.annotation.gate import Gate, GateMiddleware
from sensitivenets.annotation.labelling import Labelling
from sensitivenets.annotation.status import status
from sensitivenets.embeddings.parquet_files import sealed
from sensitivenets.errors import InputError

_MAX_BODY = 256 * 1024
_PAGES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}
Answer = dict[str, Any]


def make_app(labelling: Labelling, gate: Gate, suggested_annotator: str = "") -> Starlette:
    """Build the application.

    Parameters
    ----------
    labelling : Labelling
        What is labelled.
    gate : Gate
        Who may ask.
    suggested_annotator : str, default=""
        The name that the page offers.

    Returns
    -------
    Starlette
        An ASGI application; every answer has passed the gate.
    """
    api = _Api(labelling, gate, suggested_annotator)
    routes = [Route(path, _page(*page)) for path, page in _PAGES.items()]
    routes += [
        Route("/image/{row:int}", api.image),
        Route("/labels.parquet", api.labels),
        Route("/api/session", _asked(api.session)),
        Route("/api/batch", _asked(api.batch)),
        Route("/api/status", _asked(api.status)),
        Route("/api/decisions", _sent(api.decide), methods=["POST"]),
        Route("/api/undo", _sent(api.undo), methods=["POST"]),
        Route("/api/round", _sent(api.begin_round), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(GateMiddleware, gate=gate)])


class _Api:
    """Each method answers one kind of request, in a thread of its own."""

    def __init__(self, labelling: Labelling, gate: Gate, suggested_annotator: str) -> None:
        self._labelling = labelling
        self._gate = gate
        self._suggested = suggested_annotator

    def session(self, given: Answer) -> Answer:
        del given
        task = self._labelling.task
        return {
            "attribute": task.attribute,
            "classes": task.classes,
            "rows": task.n_rows,
            "images": self._labelling.images is not None,
            "annotator": self._suggested,
            "csrf": self._gate.csrf,
            # Tells what a browser has kept for one table from what it kept for another.
            "task": f"{task.table_sha256.rpartition(':')[2][:16]}:{task.attribute}",
        }

    def batch(self, given: Answer) -> Answer:
        task = self._labelling.task
        queue = read_queue(given.get("queue"))
        only = read_class(given.get("class"), task)
        if queue == Queue.SWEEP and only is None:
            raise InputError("class: expected one to sweep")
        items = self._labelling.batch(
            queue,
            read_annotator(given.get("annotator")),
            _read_size(given.get("size")),
            None if only is None else task.classes.index(only),
        )
        return {"items": items}

    def status(self, given: Answer) -> Answer:
        return status(self._labelling, read_annotator(given.get("annotator")))

    def decide(self, given: Answer) -> Answer:
        labelling = self._labelling
        stored = labelling.decide(
            read_annotator(given.get("annotator")),
            read_queue(given.get("queue")),
            read_request(given.get("request")),
            read_decisions(given.get("decisions"), labelling.task),
        )
        return {"stored": [event.seq for event in stored]}

    def undo(self, given: Answer) -> Answer:
        annotator = read_annotator(given.get("annotator"))
        return {"items": self._labelling.undo(annotator, read_request(given.get("request")))}

    def begin_round(self, given: Answer) -> Answer:
        annotator = read_annotator(given.get("annotator"))
        self._labelling.begin_round(annotator, read_request(given.get("request")))
        return {}

    def image(self, request: Request) -> Response:
        images = self._labelling.images
        picture = images.read(request.path_params["row"]) if images else None
        if picture is None:
            return JSONResponse({"error": "no image"}, 404)
        return Response(picture.content, media_type=picture.media_type)

    def labels(self, request: Request) -> Response:
        del request
        buffer = io.BytesIO()
        columns = label_columns(self._labelling)
        whole = columns.replace_schema_metadata(sealed(columns.schema).metadata)
        pq.write_table(whole, buffer, write_page_checksum=True)
        name = "labels.parquet"
        return Response(
            buffer.getvalue(),
            media_type="application/vnd.apache.parquet",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )


def _read_size(value: Any) -> int:
    try:
        size = int(value)
    except (TypeError, ValueError):
        size = 0
    if not 1 <= size <= MAX_DECISIONS:
        raise InputError(f"size: expected a whole number from 1 to {MAX_DECISIONS}")
    return size


def _asked(answer: Callable[[Answer], Answer]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await _answer(answer, dict(request.query_params))

    return endpoint


def _sent(answer: Callable[[Answer], Answer]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return JSONResponse({"error": f"more than {_MAX_BODY} bytes"}, 413)
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            return JSONResponse({"error": "expected a JSON object"}, 400)
        return await _answer(answer, given)

    return endpoint


async def _answer(answer: Callable[[Answer], Answer], given: Answer) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(answer, given))
    except InputError as error:
        return JSONResponse({"error": str(error)}, 400)


def _page(name: str, media_type: str) -> Callable[[Request], Any]:
    content = files("sensitivenets.annotation").joinpath("pages", name).read_bytes()

    async def endpoint(request: Request) -> Response:
        del request
        return Response(content, media_type=media_type)

    return endpoint


def listen(host: str, port: int) -> socket.socket:
    """Open the port.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port; 0 for any that is free.

    Returns
    -------
    socket.socket
        Bound, so that nobody else can take the port meanwhile.

    Raises
    ------
    InputError
        If the port is taken, or there is no such address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen on {host} port {port}: {reason}; choose another with --port or --host"
        ) from error
    # Connections inherit it. An answer is written in two pieces, and the second would wait for the
    # browser to acknowledge the first: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(app: ASGIApp, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Answer requests until interrupted.

    Parameters
    ----------
    app : ASGI application
        What answers.
    listener : socket.socket
        From `listen`.
    when_ready : callable
        Called once, when requests are answered.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    _Server(config, when_ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()
