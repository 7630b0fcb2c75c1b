"""The page in a real browser: headless Chromium, driven by its DevTools protocol."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from sensitivenets.embeddings import EmbeddingTable, write_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
websocket = pytest.importorskip("websocket", reason="websocket-client is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

N_ROWS = 60
# Seconds: met only by what is broken.
PATIENCE = 120
HOSTILE = "<img src=x onerror=document.title='hacked'>"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
    "--remote-debugging-port=0 --remote-allow-origins=*"
)
KEY_CODES = {"Enter": 13, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8}


class Tab:
    """One tab of the browser."""

    def __init__(self, address):
        self._socket = websocket.create_connection(address, timeout=PATIENCE)
        self._sent = 0
        self.complaints = []
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")

    def call(self, method, **parameters):
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                self.complaints.append(message["params"])
            if message.get("id") == self._sent:
                assert "error" not in message, message
                return message["result"]

    def js(self, expression):
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression):
        # Long: the classifier's process makes way for whatever else a machine is at.
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            # While a page loads, what is asked for may not be there.
            value = self.js(
                f"(() => {{ try {{ return {expression}; }} catch {{ return null; }} }})()"
            )
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for {expression}")

    def press(self, *keys):
        for key in keys:
            code = KEY_CODES.get(key) or ord(key.upper())
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            common = {"key": key, "windowsVirtualKeyCode": code}
            extra = {"text": text} if text else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **common, **extra)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def open(self, address, annotator=None):
        self.call("Page.navigate", url=address)
        if annotator is not None:
            self.wait("document.querySelector('#name-dialog').open")
            self.js("document.querySelector('#name').select()")
            self.call("Input.insertText", text=annotator)
            self.press("Enter")
        self.wait("document.querySelectorAll('.tile').length > 0")
        self.wait("document.querySelector('#checked').textContent !== ''")

    def queue(self, name):
        self.js(f"document.querySelector('[data-queue={name}]').click()")
        self.js("outbox.last.then(() => 0)")
        self.wait(f"state.queue === {name!r} && state.loaded === state.batch")

    def marked(self):
        return self.js(
            "(() => { const { row, name, label } = state.items[state.focus];"
            " return { row, name, label }; })()"
        )

    def saved(self):
        self.js("outbox.last.then(() => 0)")
        self.wait("outbox.waiting === 0 && state.loaded === state.batch")

    def text(self, selector):
        return self.js(f"document.querySelector({selector!r}).textContent")

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self):
        self._socket.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    profile = tmp_path_factory.mktemp("profile")
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "--window-size=1280,860"]
    # A group of its own: Chromium's children end with it.
    process = subprocess.Popen(
        [*command, "about:blank"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stderr:
        if "DevTools listening on" in line:
            break
    yield int(line.split(":")[-1].split("/")[0])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def new_tab(browser):
    with contextlib.ExitStack() as stack:

        def make():
            connection = http.client.HTTPConnection("127.0.0.1", browser, timeout=PATIENCE)
            with contextlib.closing(connection):
                connection.request("PUT", "/json/new?about:blank")
                described = json.loads(connection.getresponse().read())
            tab = Tab(described["webSocketDebuggerUrl"])
            stack.callback(tab.close)
            tabs.append(tab)
            return tab

        tabs = []
        yield make
        complaints = [complaint for tab in tabs for complaint in tab.complaints]
    # The security policy is kept, and nothing is thrown.
    assert not [c for c in complaints if c.get("entry", {}).get("source") != "network"]


def draw_face(path, long_hair, seed):
    """A drawn face: nobody's."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (90, 110), tuple(rng.integers(150, 240, 3).tolist()))
    pen = ImageDraw.Draw(image)
    hair = tuple(rng.integers(20, 130, 3).tolist())
    pen.ellipse((18, 8, 72, 100 if long_hair else 60), fill=hair)
    pen.ellipse((24, 20, 66, 88), fill=tuple(rng.integers(170, 230, 3).tolist()))
    for x in (36, 54):
        pen.ellipse((x - 4, 44, x + 4, 52), fill="white", outline="black")
    pen.arc((34, 58, 56, 76), 20, 160, fill="black", width=2)
    image.save(path)


@pytest.fixture
def table(tmp_path):
    """Sixty drawn faces whose file names say what they show."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(N_ROWS) % 2)
    vectors = (rng.standard_normal((N_ROWS, 6)) + 5 * codes[:, None]).astype(np.float32)
    names = [f"face{row:02d}_{'LS'[code]}" for row, code in enumerate(codes)]
    (tmp_path / "photos").mkdir()
    for row, (name, code) in enumerate(zip(names, codes, strict=True)):
        draw_face(tmp_path / "photos" / f"{name}.png", long_hair=code == 0, seed=row)
    columns = pa.table({"image": names})
    write_table(EmbeddingTable(vectors, columns), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


@pytest.fixture
def options(table):
    return ("--images", table.with_name("photos"), "--class", "Long", "--class", "Short")


def events(table, condition="1"):
    base = sqlite3.connect(table.with_name("table.gender.labels"))
    query = f"SELECT kind, row, label, annotator FROM events WHERE {condition} ORDER BY seq"
    with contextlib.closing(base):
        return base.execute(query).fetchall()


def truth(name):
    return {"L": "Long", "S": "Short"}[name[-1]]


def label_by_keyboard(tab, n):
    """Decide as an annotator would: accept what is right, change what is wrong."""
    decided, keys = [], {}
    for _ in range(n):
        tab.wait("state.items.length && !state.items[state.focus].decided")
        face = tab.marked()
        right = truth(face["name"])
        if face["label"] is None:
            key = "1" if right == "Long" else "2"
        else:
            key = "Enter" if face["label"] == right else "c"
        tab.press(key)
        keys[key] = keys.get(key, 0) + 1
        decided.append((face["row"], right))
        if len(decided) == 25:
            # The classifier learns in the background; the next screen has its proposals.
            tab.saved()
            tab.wait("refresh() && state.version >= 20")
            tab.press("r")
            tab.saved()
            tab.wait("state.items.every((item) => item.label !== null)")
    tab.saved()
    return decided, keys


def test_fifty_faces_by_keyboard_undo_reload_kill_restart_two_annotators(
    table, options, start, new_tab
):
    process, said = start(table, *options)
    anna = new_tab()
    anna.open(said["address"], "anna")
    anna.wait("[...document.querySelectorAll('.tile img')].every((image) => image.naturalWidth)")

    decided, keys = label_by_keyboard(anna, 50)
    assert len({row for row, _ in decided}) == 50
    assert [(row, name) for _, row, name, _ in events(table)] == decided
    assert keys["Enter"] >= 20  # the classifier was mostly right
    anna.wait("document.querySelector('#checked').textContent.startsWith('50 of')")

    # Undo.
    anna.press("z")
    anna.saved()
    assert anna.marked()["row"] == decided[-1][0]
    assert events(table)[-1][:2] == ("undo", decided[-1][0])
    anna.wait("document.querySelector('#checked').textContent.startsWith('49 of')")
    anna.press("1" if decided[-1][1] == "Long" else "2")
    anna.saved()

    # Reload: the same name, the rows that are left.
    anna.open(said["address"])
    assert anna.text("#who") == "anna"
    assert anna.js("state.items.length") == 10
    assert anna.text("#checked").startswith("50 of")

    # Kill: what was decided meanwhile is sent when the server is back.
    process.kill()
    process.wait()
    face = anna.marked()
    anna.press("1" if truth(face["name"]) == "Long" else "2")
    anna.wait("!document.querySelector('#unsaved').hidden")
    port = int(said["address"].split(":")[-1].strip("/"))
    start(table, *options, port=port)
    anna.wait("document.querySelector('#unsaved').hidden")
    anna.saved()
    last = events(table)[-1]
    assert last == ("label", face["row"], truth(face["name"]), "anna")
    assert len(events(table)) == 53

    # A second annotator gives second opinions, one of them different.
    ben = new_tab()
    ben.open(said["address"], "ben")
    ben.queue("second")
    assert ben.js("document.querySelector('#actions button').disabled")
    for k in range(12):
        right = truth(ben.marked()["name"]) == "Long"
        ben.press("2" if right == (k == 5) else "1")
        if right == (k == 5):
            ben.saved()
    ben.saved()
    ben.wait("document.querySelector('#kappa').textContent.startsWith('kappa 0.')")
    assert "anna and ben" in ben.text("#kappa-more")

    anna.queue("disputes")
    disputed = anna.marked()
    assert "annotators disagree" in anna.text(".votes")
    anna.press("1" if truth(disputed["name"]) == "Long" else "2")
    anna.saved()
    settled = ("adjudicate", disputed["row"], truth(disputed["name"]), "anna")
    assert events(table)[-1] == settled


def test_a_sweep_accepts_all_but_the_odd_ones_out(table, options, start, new_tab):
    rng = np.random.default_rng(1)
    given = [truth(name) if rng.random() > 0.1 else None for name in names_of(table)]
    with_labels(table, given)
    _, said = start(table, *options)
    tab = new_tab()
    tab.open(said["address"], "anna")
    tab.wait("refresh() && state.version === 0")
    tab.queue("sweep")
    shown = tab.js("state.items.map((item) => [item.row, item.label])")
    assert {label for _, label in shown} == {"Long"}
    tab.press("ArrowRight", "2", "u", "Enter")
    tab.saved()
    stored = {row: label for _, row, label, _ in events(table)}
    assert stored.pop(shown[1][0]) == "Short"
    assert stored.pop(shown[2][0]) is None
    assert stored == {row: "Long" for row, _ in shown if row in stored}
    assert len(stored) == len(shown) - 2
    # One press of Enter is one action: undo takes it back whole.
    tab.press("z")
    tab.saved()
    assert len(events(table, "kind = 'undo'")) == len(shown) - 2


def test_names_are_text_whatever_they_hold(table, start, new_tab):
    with_labels(table, ["<b>one</b>", HOSTILE] * (N_ROWS // 2), names=[HOSTILE] * N_ROWS)
    _, said = start(table)
    tab = new_tab()
    tab.open(said["address"], HOSTILE)
    assert tab.text(".picture") == HOSTILE
    assert tab.text("#who") == HOSTILE
    tab.press("1", "Enter", "u", "z")
    tab.saved()
    tab.queue("disputes")
    assert tab.js("document.querySelectorAll('#grid img, #grid b b, header img').length") == 0
    assert tab.js("document.title") == "gender \u00b7 annotate"


@pytest.mark.parametrize(("width", "n_columns"), [(1280, 10), (390, 3)])
def test_the_page_fits_wide_and_narrow(table, options, start, new_tab, tmp_path, width, n_columns):
    _, said = start(table, *options)
    tab = new_tab()
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=844,
        deviceScaleFactor=1,
        mobile=width < 600,
    )
    tab.open(said["address"], "anna")
    assert tab.js("columns()") == n_columns
    # Nothing sticks out, and every control is large enough to hit.
    assert tab.js("document.documentElement.scrollWidth") <= width
    heights = "[...document.querySelectorAll('button')].filter((b) => b.offsetParent)"
    assert tab.js(f"Math.min(...{heights}.map((b) => b.offsetHeight))") >= 32
    tab.picture(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (width, 844)
        # Faces, text and buttons, and no blank page.
        assert len(picture.convert("RGB").getcolors(2**24)) > 300


def names_of(table):
    from sensitivenets.embeddings import read_table

    return read_table(table).column("image").to_pylist()


def with_labels(table, labels, names=None):
    from sensitivenets.embeddings import read_table

    read = read_table(table)
    columns = pa.table({"image": names or names_of(table), "gender": labels})
    write_table(EmbeddingTable(np.array(read.vectors), columns), table)
