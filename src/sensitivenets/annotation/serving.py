"""Listening: the socket, the address, and the end."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from sensitivenets.errors import InputError


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
