"""Whom the server turns away."""

import pytest

from sensitivenets.annotation.gate import is_loopback
from sensitivenets.annotation.server import listen
from sensitivenets.errors import InputError

N_ROWS = 40
TOKEN = "0123456789abcdefXYZ"
POST = "/api/decisions"
GOOD = {
    "annotator": "anna",
    "queue": "doubt",
    "request": "request-1",
    "decisions": [{"row": 0, "label": "Male"}],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotator": ""}, "annotator: expected a name"),
        ({"annotator": "x" * 65}, "annotator: expected a name"),
        ({"annotator": "a\nb"}, "annotator: expected a name"),
        ({"annotator": 3}, "annotator: expected a name"),
        ({"queue": "other"}, "queue: expected one of doubt"),
        ({"request": "short"}, "request: expected text"),
        ({"decisions": []}, "expected a list of 1 to 500"),
        ({"decisions": [{"row": 0, "label": "Male"}] * 2}, "each row once"),
        ({"decisions": [{"row": N_ROWS, "label": "Male"}]}, "from 0 to 39"),
        ({"decisions": [{"row": -1, "label": "Male"}]}, "from 0 to 39"),
        ({"decisions": [{"row": "0", "label": "Male"}]}, "from 0 to 39"),
        ({"decisions": [{"row": True, "label": "Male"}]}, "from 0 to 39"),
        ({"decisions": [{"row": 0}]}, "object with row and label"),
        ({"decisions": ["x"]}, "object with row and label"),
        ({"decisions": [{"row": 0, "label": "male"}]}, "one of Female, Male, or null"),
        ({"decisions": [{"row": 0, "label": None, "shown": 3}]}, "one of Female, Male"),
    ],
)
def test_nonsense_is_refused_by_message_and_nothing_is_stored(untouched, change, message):
    status, answer = untouched.post(POST, {**GOOD, **change})
    assert status == 400
    assert message in answer["error"]
    assert untouched.labelling.store.events() == []


@pytest.mark.parametrize("body", ["", "{", "[]", "3", "[" * 100_000])
def test_what_is_no_json_object_is_refused(untouched, body):
    headers = {"Content-Type": "application/json", "X-Sensitivenets-Csrf": untouched.gate.csrf}
    assert untouched.ask("POST", POST, body, **headers).status == 400


def test_a_huge_body_is_refused(untouched):
    assert untouched.post(POST, {**GOOD, "annotator": "x" * 300_000})[0] == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Sensitivenets-Csrf": None}, 403),
        ({"X-Sensitivenets-Csrf": "guess"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": None}, 415),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_posts_from_other_sites_are_refused(untouched, headers, status):
    assert untouched.post(POST, GOOD, **headers)[0] == status
    assert untouched.labelling.store.events() == []


def test_the_page_itself_may_post(client):
    origin = f"http://127.0.0.1:{client.gate.port}"
    assert client.post(POST, GOOD, Origin=origin, **{"Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "", "a@127.0.0.1:{port}"],
)
@pytest.mark.parametrize("path", ["/", "/api/session", "/image/4"])
def test_other_host_names_are_refused(untouched, host, path):
    # What a browser sends when somebody's DNS points here.
    answer = untouched.ask("GET", path, Host=host.format(port=untouched.gate.port))
    # Without a name at all, the HTTP library answers itself.
    assert answer.status in {421, 400}
    assert b"csrf" not in answer.content


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_this_machines_names_are_answered(untouched, host):
    assert untouched.ask("GET", "/", Host=f"{host}:{untouched.gate.port}").status == 200


@pytest.mark.parametrize("path", ["/image/4", "/api/session", "/app.js", "/labels.parquet"])
def test_other_sites_can_link_here_but_not_look_in(untouched, path):
    other = {"Sec-Fetch-Site": "cross-site"}
    assert untouched.ask("GET", path, **other).status == 403
    assert untouched.ask("GET", "/", **other).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/image/../labels",
        "/image/..%2flabels",
        "/image/%2e%2e/%2e%2e/etc/passwd",
        "/image/face0.png",
        "/image/-1",
        "/image/99999999999999999999",
        "/../../etc/passwd",
        "/pages/app.js",
        "/static/../store.py",
        "/image/4/../../labels",
    ],
)
def test_no_path_leads_to_a_file(untouched, path):
    answer = untouched.ask("GET", path)
    assert answer.status == 404
    assert b"SQLite" not in answer.content


@pytest.mark.parametrize("path", ["/", "/api/session", "/image/4", "/nowhere", "/image/5"])
def test_every_answer_has_the_security_headers(untouched, path):
    headers = untouched.ask("GET", path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(untouched, method):
    assert untouched.ask(method, POST).status in {403, 405, 415}


# ---- A token, where others can reach it ----


@pytest.mark.parametrize("path", ["/", "/api/session", "/app.js", "/image/4", "/?token=wrong"])
def test_nothing_is_shown_without_the_token(guarded, path):
    answer = guarded.ask("GET", path)
    assert answer.status == 401
    assert b"csrf" not in answer.content


def test_the_token_is_traded_for_a_cookie(guarded):
    entered = guarded.ask("GET", f"/?token={TOKEN}")
    assert (entered.status, entered.headers["Location"]) == (303, "/")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    guarded.headers["Cookie"] = cookie.split(";")[0]
    assert guarded.get("/api/session")[0] == 200
    assert guarded.post(POST, GOOD)[0] == 200
    assert guarded.post(POST, GOOD, **{"X-Sensitivenets-Csrf": "guess"})[0] == 403


@pytest.mark.parametrize(
    ("host", "answered"),
    [("10.1.2.3:{port}", True), ("evil.example:{port}", False), ("localhost:{port}", True)],
)
def test_addresses_are_answered_and_foreign_names_are_not(guarded, host, answered):
    guarded.headers["Cookie"] = f"{guarded.gate.cookie}={TOKEN}"
    status = guarded.ask("GET", "/", Host=host.format(port=guarded.gate.port)).status
    assert status == (200 if answered else 421)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
    ],
)
def test_what_only_this_machine_can_reach(host, expected):
    assert is_loopback(host) == expected


def test_a_taken_port_is_named():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1 port {port}.*--port"):
            listen("127.0.0.1", port)
