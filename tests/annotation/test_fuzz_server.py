"""No request ends in an error of the server's own, or waits for ever.

Requests drawn at random, from a seed; a second or two here, as long as
SENSITIVENETS_FUZZ_SECONDS says elsewhere.
"""

import json
import os
import socket
import time

import numpy as np

SECONDS = float(os.environ.get("SENSITIVENETS_FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("SENSITIVENETS_FUZZ_SEED", "0"))
# Seconds for an answer.
PATIENCE = 20
PATHS = [
    *("/", "/app.js", "/image/0", "/image/1", "/image/-1", "/image/" + "9" * 5000, "/image/..%2f"),
    *("/labels.parquet", "/api/session", "/api/batch", "/api/status", "/api/decisions"),
    *("/api/undo", "/api/round", "/nothing", "//", "/%00", "/../../etc/passwd", "/image/%ff"),
]
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"]
VALUES = [
    *(None, True, 0, 1, -1, 39, 40, 10**30, 1.5, "", "anna", "Female", "doubt", "sweep", "random"),
    *("second", "disputes", "x" * 300, "\ud800", "\0\0\0\0\0\0\0\0", "request-1", [], {}, [[]]),
    *(
        [{"row": 1, "label": "Female"}],
        [{"row": "1", "label": 5}],
        [{"row": 10**30, "label": None}],
    ),
    *([{"row": 2, "label": None, "shown": "Male"}], [5], [{"row": True, "label": "Male"}]),
]
NAMES = ["annotator", "queue", "request", "decisions", "class", "size", "row", "label"]


def one_of(rng, values):
    return values[rng.integers(len(values))]


def request(rng, gate):
    """The bytes of a request; most are half right."""
    method, path = one_of(rng, METHODS), one_of(rng, PATHS)
    fields = {name: one_of(rng, VALUES) for name in NAMES if rng.random() < 0.6}
    if rng.random() < 0.5:
        fields |= {"annotator": "anna", "queue": "doubt", "request": f"request-{rng.integers(99)}"}
    body = json.dumps(fields).encode()
    if rng.random() < 0.1:
        body = one_of(
            rng, [b"", b"[" * 50_000, b"\xff", b'{"a":' + b"9" * 5000 + b"}", rng.bytes(99)]
        )
    if rng.random() < 0.5:
        text = "&".join(f"{name}={value}" for name, value in fields.items() if value != [])
        path += "?" + "".join(c if c.isalnum() or c in "=&-" else "%20" for c in text)[:6000]
    headers = {
        "Host": f"127.0.0.1:{gate.port}",
        "Content-Type": "application/json",
        "X-Sensitivenets-Csrf": gate.csrf,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    if rng.random() < 0.2:
        odd = ["", "x", "[::1", "a@b:80", "\u00e9", "9" * 3000, "127.0.0.1:99999999"]
        headers[one_of(rng, list(headers)[:3])] = one_of(rng, odd)
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + body


def answer(port, content):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(content)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_no_request_is_answered_with_an_error_of_the_server_or_never(client):
    seed, end, answered = SEED, time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        content = request(np.random.default_rng(seed), client.gate)
        received = answer(client.gate.port, content)
        assert received.startswith(b"HTTP/1.1 "), (
            f"seed {seed}: {content[:200]!r}: {received[:200]!r}"
        )
        status = int(received[9:12])
        assert status < 500, f"seed {seed}: {content[:300]!r}: {received[:300]!r}"
        answered += status == 200
        seed += 1
    assert answered > 0
    # Nothing that was sent has broken what is stored.
    assert client.status()["rows"] == 40
