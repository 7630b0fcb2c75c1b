"""How long `sensitivenets annotate` makes people wait, on a real table.

    python benchmarks/annotate.py table.parquet --images photos/ --attribute gender

Chromium draws the first screen; decisions go over HTTP as the page sends them, while the
classifier learns beside them. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import websocket

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --remote-debugging-port=0 "
    "--remote-allow-origins=* --window-size=1280,860"
)
# Every picture of the first screen is there and decoded.
_DRAWN = """new Promise((resolve) => {
  const look = () => {
    const images = [...document.querySelectorAll(".tile img")];
    if (images.length && images.every((image) => image.complete)) resolve(performance.now());
    else setTimeout(look, 5);
  };
  look();
})"""


def main() -> None:
    """Serve, open, decide, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--attribute", required=True)
    parser.add_argument("--decisions", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels"
        results = {"table": str(options.table), "decisions": options.decisions}
        with _Server(options, labels) as server:
            results["first_start_to_address_s"] = server.seconds
            results["first_start_page_s"] = _page_seconds(server.address)
            server.wait_for_classifier()
            results["ready_page_s"] = [_page_seconds(server.address) for _ in range(3)]
            results |= _decision_times(server, options.decisions)
        with _Server(options, labels) as server:
            results["second_start_to_address_s"] = server.seconds
            results["second_start_page_s"] = _page_seconds(server.address)
    print(json.dumps(results, indent=2))


class _Server:
    """The command, running."""

    def __init__(self, options: argparse.Namespace, labels: Path) -> None:
        run = "import sys; from sensitivenets.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", run, "annotate", options.table, "--no-browser", "--json"]
        command += ["--images", options.images, "--attribute", options.attribute]
        command += ["--labels", labels, "--port", "0"]
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        said = ""
        while not said.endswith("}\n"):
            said += self._process.stdout.readline()
        self.seconds = round(time.perf_counter() - begin, 3)
        self.address = json.loads(said)["address"]
        self._connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        self._csrf = self.get("/api/session")["csrf"]

    def get(self, path: str) -> dict:
        # The server has closed it, if the browser was long at work.
        self._connection.close()
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())

    def post(self, path: str, body: dict) -> dict:
        headers = {"Content-Type": "application/json", "X-Sensitivenets-Csrf": self._csrf}
        self._connection.request("POST", path, json.dumps(body), headers)
        return json.loads(self._connection.getresponse().read())

    def wait_for_classifier(self) -> None:
        while self.get("/api/status?annotator=benchmark")["classifier"]["training"]:
            time.sleep(0.1)

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.communicate()


def _decision_times(server: _Server, n_decisions: int) -> dict:
    """One row a request, as fast as they are answered: far faster than a person."""
    seconds, learning = [], []
    while len(seconds) < n_decisions:
        batch = "/api/batch?queue=doubt&annotator=benchmark&size=30"
        for item in server.get(batch)["items"]:
            decision = {"row": item["row"], "label": item["label"], "shown": item["label"]}
            body = {
                "annotator": "benchmark",
                "queue": "doubt",
                "request": f"request-{item['row']}",
                "decisions": [decision],
            }
            begin = time.perf_counter()
            server.post("/api/decisions", body)
            seconds.append(time.perf_counter() - begin)
            time.sleep(0.05)
        learning.append(server.get("/api/status?annotator=benchmark")["classifier"]["training"])
    median, late, worst = (1000 * np.quantile(seconds, q) for q in (0.5, 0.95, 1))
    return {
        "decision_median_ms": round(median, 1),
        "decision_95th_percentile_ms": round(late, 1),
        "decision_worst_ms": round(worst, 1),
        "share_of_looks_at_which_it_was_learning": float(np.mean(learning)),
    }


def _page_seconds(address: str) -> float:
    """From asking for the page to a first screen of pictures, in a browser that is running."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            ["chromium", *_FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            text=True,
        )
        port = next(line for line in browser.stderr if "DevTools listening on" in line)
        port = int(port.split(":")[-1].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("PUT", "/json/new?about:blank")
        tab = websocket.create_connection(
            json.loads(connection.getresponse().read())["webSocketDebuggerUrl"], timeout=60
        )
        _call(tab, "Page.enable")
        _call(tab, "Page.addScriptToEvaluateOnNewDocument", source=_NAMED)
        _call(tab, "Page.navigate", url=address)
        milliseconds = _call(
            tab, "Runtime.evaluate", expression=_DRAWN, awaitPromise=True, returnByValue=True
        )["result"]["value"]
        tab.close()
        browser.terminate()
        browser.communicate()
    return round(milliseconds / 1000, 3)


_NAMED = "sessionStorage.setItem('annotator', 'benchmark')"


def _call(tab: websocket.WebSocket, method: str, **parameters: object) -> dict:
    tab.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    while True:
        message = json.loads(tab.recv())
        if message.get("id") == 1:
            return message["result"]


if __name__ == "__main__":
    main()
