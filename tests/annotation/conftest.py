"""A server over real sockets, and a client that asks it."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from PIL import Image

from sensitivenets.annotation.gate import Gate
from sensitivenets.annotation.opening import LabellingOptions, open_labelling
from sensitivenets.annotation.server import listen, make_app
from sensitivenets.embeddings import EmbeddingTable

N_ROWS = 40
# Seconds: met only by what is broken.
PATIENCE = 120


def make_table(n_rows=N_ROWS):
    rng = np.random.default_rng(0)
    codes = np.arange(n_rows) % 2
    vectors = rng.standard_normal((n_rows, 6)) + 8 * codes[:, None] * np.eye(6)[0]
    genders = np.array(["Female", "Male"])[codes].tolist()
    genders[3] = None
    names = [f"face{row}" for row in range(n_rows)]
    names[1] = "<script>alert(1)</script>"
    columns = pa.table({"image": names, "gender": genders})
    return EmbeddingTable(vectors.astype(np.float32), columns, "small.parquet")


class Client:
    """Asks the server, with whatever headers a test wants."""

    def __init__(self, gate, **headers):
        self.gate = gate
        self.headers = {"Host": f"127.0.0.1:{gate.port}", **headers}
        self.requests = 0

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {k: v for k, v in {**self.headers, **named}.items() if v is not None}
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            answer.content = answer.read()
        return answer

    def get(self, path):
        answer = self.ask("GET", path)
        return answer.status, json.loads(answer.content)

    def post(self, path, body, **headers):
        kind = {"Content-Type": "application/json", "X-Sensitivenets-Csrf": self.gate.csrf}
        answer = self.ask("POST", path, json.dumps(body), **{**kind, **headers})
        return answer.status, json.loads(answer.content)

    def decide(self, decisions, annotator="anna", queue="doubt", request=None):
        self.requests += 1
        request = request or f"{annotator}-request-{self.requests}"
        listed = [{"row": row, "label": label} for row, label in decisions]
        body = {"annotator": annotator, "queue": queue, "request": request, "decisions": listed}
        return self.post("/api/decisions", body)

    def status(self, annotator="anna"):
        return self.get(f"/api/status?annotator={annotator}")[1]

    def rows(self, queue, annotator="anna", size=10, **more):
        extra = "".join(f"&{k}={v}" for k, v in more.items())
        path = f"/api/batch?queue={queue}&annotator={annotator}&size={size}{extra}"
        return self.get(path)[1]["items"]


@contextlib.contextmanager
def serving(folder, token=None, host="127.0.0.1", **choice):
    """A server in a thread; the classifier learns when a test says so."""
    labelling = open_labelling(
        make_table(), LabellingOptions("gender", **choice), folder / "labels"
    )
    listener = listen("127.0.0.1", 0)
    gate = Gate(host, listener.getsockname()[1], token)
    config = uvicorn.Config(make_app(labelling, gate, "anna"), log_level="warning", ws="none")
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    async def started(sockets=None):
        await startup(sockets)
        ready.set()

    server.startup = started
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        client = Client(gate)
        client.labelling = labelling
        yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        assert labelling.ledger.seq == len(labelling.store.events())
        labelling.store.close()


@contextlib.contextmanager
def serving_pictures(place):
    folder = place / "photos"
    folder.mkdir()
    for row in range(0, N_ROWS, 2):
        Image.new("RGB", (30, 40), (row * 5, 90, 90)).save(folder / f"face{row}.png")
    with serving(place, images=folder) as client:
        yield client


@pytest.fixture
def client(tmp_path):
    with serving_pictures(tmp_path) as client:
        yield client


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """A server for requests that must change nothing."""
    with serving_pictures(tmp_path_factory.mktemp("untouched")) as client:
        yield client
        assert client.labelling.ledger.seq == 0


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory):
    place = tmp_path_factory.mktemp("guarded")
    # The socket stays on loopback all the same.
    with serving(place, token="0123456789abcdefXYZ", host="0.0.0.0") as client:
        yield client


@pytest.fixture
def guarded(guarded_server):
    """A client that shows no token yet."""
    return Client(guarded_server.gate)


@pytest.fixture
def start():
    """A function that starts ``sensitivenets annotate``: its process, and what it said."""
    processes = []

    def begin(table, *options, port=0):
        run = "import sys; from sensitivenets.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", run, "annotate", table, "--attribute", "gender"]
        command += ["--port", port, "--no-browser", "--json", *options]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        lines = ""
        while not lines.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            lines += line
        return process, json.loads(lines)

    yield begin
    for process in processes:
        process.kill()
        process.communicate()
