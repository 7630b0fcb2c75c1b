"""What is certified reaches the page in words, tables and pictures, and what is not is not said."""

import dataclasses

import pytest

from sensitivenets import report
from sensitivenets.audit.certificates.bayes_error import BayesErrorEstimate
from sensitivenets.audit.certificates.certify import NO_BOUND, Certificates
from sensitivenets.audit.certificates.finite_outputs import FiniteBound
from sensitivenets.audit.certificates.label_forecast import LabelForecast, LabelledAccuracy
from sensitivenets.audit.certificates.moments import MomentCertificate
from sensitivenets.audit.certificates.power import Power
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.report.certificates import certificate_tables
from sensitivenets.report.inputs import read_material
from sensitivenets.report.pictures import pictures
from sensitivenets.report.record import as_record
from sensitivenets.report.rendering import render

pytestmark = pytest.mark.usefixtures("undrawn")


def points(*labels):
    return tuple(LabelledAccuracy(m, 0.5, 0.6, 0.7) for m in labels)


@pytest.fixture
def certificates():
    return Certificates(
        finite_outputs={
            "gender": tuple(
                FiniteBound("clusters", k, 0.5 + k / 1000, 0.5, 0.5, 1 / k, None, 900)
                for k in (2, 16, 256)
            )
        },
        moments={"gender": MomentCertificate(0.4, 1.0, 0.1, 0.624, 0.66, 6.3, 400)},
        forecasts={
            "gender": LabelForecast(
                "QDA, whitened", points(100, 900), points(900)[0], True, points(9000, 90000)
            )
        },
        bayes_error={
            "gender": BayesErrorEstimate(0.6, 0.72, 0.65, 0.8, (0.2, 0.1, 0.0), False, 900)
        },
        power=(
            Power("a random direction", 0.57, 0.56, 0.54, 600, 300),
            Power("labels of near rows", None, None, 0.54, 600, 300),
        ),
    )


def test_the_page_says_what_is_certified_and_that_no_bound_over_all_attackers_exists(
    audit, certificates, tmp_path
):
    record = dataclasses.replace(as_record(audit), certificates=certificates)
    page = render(report.from_json(report.to_json(record)))
    assert page.count(NO_BOUND) == 1
    assert "75.6" in page  # no attacker passes, of 256 clusters
    assert "not calibrated" in page
    estimate = certificate_tables(certificates)[-1].rows[0]
    assert estimate.cells[:2] == ("not calibrated", "–")
    assert "none up to 90" in page
    named = {picture.name for picture in pictures(record)}
    assert {"bounds", "more-labels"} <= named
    assert NO_BOUND not in render(as_record(audit))
    report.save_json(record, tmp_path / "audit.json")
    assert report.Audit.load(tmp_path / "audit.json").certificates == certificates


def test_what_was_not_forecast_is_said(certificates):
    one = dataclasses.replace(certificates.forecasts["gender"], holds=False, beyond=())
    tables = certificate_tables(dataclasses.replace(certificates, forecasts={"gender": one}))
    row = next(table for table in tables if "more labels" in table.title).rows[0]
    assert row.cells[1:] == ("not forecast", "not forecast")
    assert certificate_tables(Certificates()) == ()


def test_rows_on_top_need_the_map(table):
    labels = {"gender": encode("gender", ["a", "b"])}
    for given in ((table.vectors, None), (None, table)):
        with pytest.raises(InputError, match=r"expected the model as well"):
            read_material(None, *given, labels)
    with pytest.raises(InputError, match="hair"):
        read_material(abs, None, table, {"hair": labels["gender"]})
    assert read_material(abs, table, table, labels).outsiders.labels["gender"].name == "gender"


def test_a_budget_that_was_too_short_is_on_the_page(audit):
    record = dataclasses.replace(as_record(audit), left_out=("RBF-SVM", "curves"), mode="full")
    page = render(record)
    assert "without RBF-SVM and curves" in page
