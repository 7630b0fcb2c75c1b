"""What the server answers to annotators."""

import io
import socket
import sqlite3

import pyarrow.parquet as pq
import pytest

from sensitivenets.annotation.server import listen

N_ROWS = 40


def test_the_most_doubtful_come_first(client):
    made = client.labelling.train()
    items = client.rows("doubt", size=40)
    assert len(items) == N_ROWS
    confidences = [item["confidence"] for item in items]
    assert confidences == sorted(confidences)
    proposed = next(item for item in items if item["row"] == 3)
    assert proposed["source"] == "proposed"
    assert proposed["confidence"] == pytest.approx(float(made.probabilities[3].max()))


def test_a_decision_is_stored_counted_and_not_asked_again(client):
    assert client.decide([(4, "Male"), (6, None)]) == (200, {"stored": [1, 2]})
    status = client.status()
    assert (status["checked"], status["unsure"], status["mine"]) == (2, 1, 2)
    assert status["by_class"] == {"Female": 18, "Male": 20}
    assert not {4, 6} & {item["row"] for item in client.rows("doubt", size=40)}


def test_a_request_sent_again_is_the_same_one(client):
    first = client.decide([(4, "Male")], request="the-same-one")
    assert client.decide([(4, "Male")], request="the-same-one") == first
    assert client.status()["mine"] == 1


def test_undo_takes_back_the_last_action_and_only_ones_own(client):
    client.decide([(4, "Male")])
    client.decide([(5, "Male"), (7, "Male")], queue="sweep")
    client.decide([(8, "Male")], annotator="ben")
    undone = client.post("/api/undo", {"annotator": "anna", "request": "undo-number-1"})[1]
    assert [item["row"] for item in undone["items"]] == [5, 7]
    again = client.post("/api/undo", {"annotator": "anna", "request": "undo-number-1"})[1]
    assert [item["row"] for item in again["items"]] == [5, 7]
    assert client.status()["checked"] == 2
    client.post("/api/undo", {"annotator": "anna", "request": "undo-number-2"})
    nothing = client.post("/api/undo", {"annotator": "anna", "request": "undo-number-3"})[1]
    assert nothing == {"items": []}
    assert client.status()["checked"] == 1


def test_a_sweep_shows_one_class(client):
    items = client.rows("sweep", size=40, **{"class": "Male"})
    assert {item["label"] for item in items} == {"Male"}
    assert len(items) == 19
    assert client.get("/api/batch?queue=sweep&annotator=anna&size=5")[0] == 400


@pytest.mark.parametrize("queue", ["random", "second"])
def test_blind_queues_show_no_label(client, queue):
    client.labelling.train()
    client.decide([(row, "Male") for row in range(5)], annotator="ben")
    items = client.rows(queue)
    assert items
    for item in items:
        assert item.keys() == {"row", "name", "image", "label"}
        assert item["label"] is None


def test_two_annotators_are_not_shown_the_same_rows(client):
    anna, ben = ({i["row"] for i in client.rows("doubt", who)} for who in ("anna", "ben"))
    assert len(anna) == len(ben) == 10
    assert not anna & ben
    assert {i["row"] for i in client.rows("doubt", "anna")} == anna


def test_agreement_and_a_dispute_settled(client):
    answers = ["Female", "Male", "Male", "Female"]
    client.decide(list(enumerate(answers)))
    # Nobody gives a second opinion on their own.
    assert not client.rows("second", "anna")
    second = {item["row"] for item in client.rows("second", "ben")}
    assert second == {0, 1, 2, 3}
    client.decide([(0, "Female"), (1, "Male"), (2, "Female"), (3, "Female")], "ben", "second")
    status = client.status()
    # Three of four agree; by chance 0.25 + 0.25 = half would: kappa is a half.
    (agreement,) = status["agreement"]
    assert (agreement["n"], agreement["observed"], agreement["kappa"]) == (4, 0.75, 0.5)
    assert (status["disputed"], status["waiting"]["disputes"]) == (1, 1)
    (item,) = client.rows("disputes", "cleo")
    assert item["votes"] == [["anna", "Male"], ["ben", "Female"]]
    assert item["reason"] == "annotators disagree"
    client.decide([(2, "Male")], "cleo", "disputes")
    assert client.status()["disputed"] == 0
    assert client.rows("disputes", "cleo") == []
    assert client.status()["agreement"][0]["observed"] == 0.75


def test_what_one_was_unsure_of_can_be_settled_for_good(client):
    client.decide([(0, None), (2, None)])
    assert {i["row"]: i["reason"] for i in client.rows("disputes")} == {0: "unsure", 2: "unsure"}
    client.decide([(0, "Female"), (2, None)], queue="disputes")
    assert client.rows("disputes") == []
    assert client.status()["unsure"] == 1


def test_labels_of_people_that_the_classifier_finds_unlikely_come_to_be_settled(client):
    # Half a dozen sure ones of each class, and one that is plainly wrong.
    client.decide([(row, ["Female", "Male"][row % 2]) for row in range(N_ROWS - 1)])
    client.decide([(N_ROWS - 1, "Female")])
    client.labelling.train()
    items = client.rows("disputes")
    assert N_ROWS - 1 in {item["row"] for item in items}
    assert items[0]["reason"] == "the classifier finds it unlikely"


def test_random_checks_estimate_what_is_left(client):
    assert client.status()["error"] is None
    rows = [item["row"] for item in client.rows("random", size=10)]
    truth = ["Female", "Male"]
    answers = [(row, truth[row % 2]) for row in rows if row != 3]
    wrong = answers[0][0], truth[1 - answers[0][0] % 2]
    client.decide([wrong, *answers[1:]], queue="random")
    client.labelling.train()
    error = client.status()["error"]
    assert error["wrong"] == error["corrected"] == 1
    assert error["share"]["low"] <= error["share"]["value"] <= error["share"]["high"]
    assert client.post("/api/round", {"annotator": "anna", "request": "round-one"})[0] == 200
    status = client.status()
    assert status["error"] is None
    assert status["round"] == {"number": 2, "population": N_ROWS - len(answers)}


def test_labels_are_downloaded_with_their_provenance(client):
    client.decide([(0, "Male"), (1, "Male")])
    client.decide([(1, "Female")], "ben", "second")
    client.decide([(2, None)])
    client.labelling.train()
    table = pq.read_table(io.BytesIO(client.ask("GET", "/labels.parquet").content))
    rows = table.to_pylist()
    assert [row["gender"] for row in rows[:5]] == ["Male", None, None, rows[3]["gender"], "Female"]
    sources = ["human", "disputed", "unsure", "proposed", "given"]
    assert [row["gender_source"] for row in rows[:5]] == sources
    assert rows[1]["gender_annotators"] == ["anna", "ben"]
    assert rows[0]["gender_time"].tzinfo is not None
    assert rows[4]["gender_time"] is None
    assert 0 <= rows[0]["gender_confidence"] <= 1
    client.decide([(1, "Male")], "cleo", "disputes")
    table = pq.read_table(io.BytesIO(client.ask("GET", "/labels.parquet").content))
    assert table.slice(1, 1).to_pylist()[0]["gender_source"] == "adjudicated"


def test_pictures_by_row_number(client):
    answer = client.ask("GET", "/image/4")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert client.ask("GET", "/image/5").status == 404


def test_an_answer_in_two_pieces_does_not_wait_to_be_acknowledged():
    with listen("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_numbers_without_end_are_no_picture(client):
    for row in ("9" * 5000, "-1", "1.5", "99999999999999999999", "%00", "%C2%B2"):
        assert client.ask("GET", f"/image/{row}").status == 404


def test_a_store_that_another_process_holds_is_answered_with_busy(client, monkeypatch):
    store = client.labelling.store
    store._base.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    status, told = client.decide([(0, "Male")], request="request-busy")
    assert (status, "busy: another process holds it" in told["error"]) == (503, True)
    other.execute("ROLLBACK")
    other.close()
    assert client.decide([(0, "Male")], request="request-busy")[0] == 200
