"""A made-up audit: two attributes whose figures are written down here, not computed."""

import dataclasses

import numpy as np
import pytest

from sensitivenets.audit import (
    AttackerResult,
    AttributeResult,
    BatteryResult,
    Controls,
    Curve,
    CurvePoint,
    DescriptionLength,
    Headline,
    Inversion,
    Reduction,
    SplitSummary,
    Threat,
)
from sensitivenets.embeddings.collapse import Collapse
from sensitivenets.embeddings.tsne import MapPair
from sensitivenets.fairness import (
    ClassifierRates,
    EqualityOfOpportunity,
    OpportunityRun,
    RateSummary,
)
from sensitivenets.intervals import Estimate
from sensitivenets.report import AuditRecord, Experiment, Provenance, TableOrigin
from sensitivenets.verification import Accuracy, AllPairsResult, OperatingPoint, VerificationResult
from sensitivenets.verification.rates import error_curve

TABLE_I = {"NN": 0.0, "SVM": 0.01, "RF": -0.02}
MORE = {"logistic regression": -0.05, "RBF-SVM": 0.02, "k nearest neighbours": -0.03}


def attacker(name, preparation, value, **changed):
    if value is None:
        return AttackerResult(name, preparation, None, None, None, None, 1800, **changed)
    low, high = max(value - 0.02, 0), min(value + 0.02, 1)
    return AttackerResult(name, preparation, value, low, high, value, 1800, value - 0.01, **changed)


def headline(name, value, chance):
    bound = chance + 0.03
    return Headline(name, "whitened", value, value - 0.03, value + 0.03, 1800, bound, value > bound)


def curve(x_label, xs, values):
    points = [CurvePoint(x, v, v - 0.015, v + 0.015, 5400) for x, v in zip(xs, values, strict=True)]
    return Curve("SVM, standardised", x_label, tuple(points))


def battery(representation, value, chance, *, failed=False):
    attackers = [attacker("majority class", "none", chance)]
    for name, shift in (TABLE_I | MORE).items():
        for preparation, less in (("standardised", 0.01), ("whitened", 0.0)):
            attackers.append(attacker(name, preparation, max(value + shift - less, chance)))
    if failed:
        attackers.append(attacker("QDA", "raw", None, notes=("failed: singular covariance",)))
    strongest = headline("RBF-SVM", value + 0.02, chance)
    learning = curve("labels", (100, 1000, 9000), (value - 0.1, value - 0.04, value))
    shares = (0, 0.2, 0.4, 0.6, 0.8, 0.98)
    removal = curve(
        "share of features removed", shares, [max(chance, value - 0.2 * s**3) for s in shares]
    )
    bits = DescriptionLength("logistic regression", 0.4, 1.0, 0.99, 9000)
    return BatteryResult(
        representation, strongest, attackers[2], tuple(attackers), (), learning, removal, bits
    )


def attribute(name, classes, before, after, *, trustworthy=True):
    chance = 1 / len(classes)

    def reduction(who, shift=0.0):
        b, a = before + shift, after + shift
        share = (b - a) / (b - chance)
        return Reduction(who, b, a, chance, share, share - 0.05, share + 0.05)

    shuffled = battery("shuffled labels", chance - 0.02, chance)
    strongest = headline("RBF-SVM", after + 0.02, chance)
    gone = reduction("strongest", 0.02)
    return AttributeResult(
        name=name,
        kind="binary" if len(classes) == 2 else "multi-class",
        classes=classes,
        train_counts=(3000,) * len(classes),
        test_counts=(600,) * len(classes),
        chance=chance,
        before=battery("before", before, chance, failed=True),
        after=battery("after", after, chance),
        inverted=battery("inverted", after + 0.01, chance),
        strongest=strongest,
        reduction=gone,
        reductions=(gone, *(reduction(who, shift) for who, shift in TABLE_I.items())),
        threats=(
            Threat("map secret", strongest, gone),
            Threat("map public", headline("RBF-SVM", after + 0.03, chance), gone),
        ),
        controls=Controls(
            majority_share=chance,
            shuffled=shuffled,
            shuffled_at_chance=trustworthy,
            raw_above_chance=True,
            random_projection=battery("random projection", before - 0.05, chance),
        ),
        trustworthy=trustworthy,
        reasons=() if trustworthy else ("attackers trained on shuffled labels are above chance",),
    )


def verification(separation, accuracy):
    rng = np.random.default_rng(0)
    same = np.arange(6000) < 3000
    curve = error_curve(rng.normal(size=6000) + separation * same, same)
    rate = Estimate(accuracy, accuracy - 0.01, accuracy + 0.005, 6000)
    point = OperatingPoint(0.01, Estimate(1 - accuracy, 0.0, 0.1, 3000), 0.01, 0.3)
    why = "FMR 0.0001 is below the resolution of 3000 impostor comparisons"
    return VerificationResult(
        protocol="view2",
        accuracy=Accuracy(rate, 0.001, (0.2,), (accuracy,), "all other folds", "Student's t"),
        eer=Estimate(1 - accuracy, 0.0, 0.02, 6000),
        eer_threshold=0.2,
        auc=Estimate(0.999, rate.low, rate.high, 6000),
        fnmr_at_fmr=(point, OperatingPoint(1e-4, refused=why)),
        groups=(),
        curve=curve,
        n_genuine=3000,
        n_impostor=3000,
        n_subjects=4000,
        subjects_from="column 'subject'",
    )


def opportunity(before_gap=0.3, after_gap=0.05):
    def estimate(value, n=5):
        return Estimate(value, value - 0.04, value + 0.04, n)

    def summary(gap):
        return RateSummary(
            estimate(0.75), estimate(0.8), estimate(0.8 - gap), estimate(gap), estimate(abs(gap))
        )

    rates = [ClassifierRates(0.75, 0.8, 0.8 - gap, gap) for gap in (before_gap, after_gap)]
    return EqualityOfOpportunity(
        target="smiling",
        positive="True",
        sensitive="gender",
        favoured="Female",
        other="Male",
        bias=0.7,
        before=summary(before_gap),
        after=summary(after_gap),
        absolute_gap_reduction=estimate(before_gap - after_gap),
        runs=(OpportunityRun(0, 5000, 1400, *rates), OpportunityRun(1, 5000, 1400, *rates)),
        dropped=12,
        notes=(),
    )


def maps():
    rng = np.random.default_rng(0)
    groups = tuple((g, e) for g in ("Female", "Male") for e in ("Group 1", "Group 2", "Group 3"))
    codes = np.repeat(np.arange(6), 100)
    centres = 40 * np.stack([np.cos(codes), np.sin(codes)], axis=1)
    before = centres + 8 * rng.normal(size=(600, 2))
    after = 20 * rng.normal(size=(600, 2))
    return MapPair(("gender", "ethnicity"), groups, codes, np.arange(600), before, after, 30.0, 0)


@pytest.fixture(scope="session")
def gender():
    return attribute("gender", ("Female", "Male"), 0.88, 0.6)


@pytest.fixture(scope="session")
def ethnicity():
    return attribute("ethnicity", ("Group 1", "Group 2", "Group 3"), 0.83, 0.5)


@pytest.fixture(scope="session")
def audit(gender, ethnicity):
    joint = attribute("gender x ethnicity", tuple("abcdef"), 0.75, 0.35)
    return AuditRecord(
        mode="full",
        random_state=0,
        split=SplitSummary(9000, 1800, 9000, 1800, True),
        n_features_before=128,
        n_features_after=512,
        attributes=(gender, ethnicity),
        joint=joint,
        continuous=(),
        collapse_before=Collapse(80.2, 128, 0.97, 1800, 1800),
        collapse_after=Collapse(60.1, 512, 0.9, 1799, 1800),
        inversion=Inversion("MLP", 0.62, 0.11, 0.4, 9000, 1800),
        trustworthy=True,
        reasons=(),
        notes=("1 attacker failed: QDA, raw",),
        verification=(Experiment(verification(4.5, 0.9957), verification(3.6, 0.9718)),),
        fairness={"smiling": opportunity()},
        maps=maps(),
        provenance=Provenance(
            before=TableOrigin("lfw.parquet", 10800, 128, {"sha256": "ab" * 32}),
            after=TableOrigin("agnostic.parquet", 10800, 512, {"sha256": "cd" * 32}),
            remarks={"command": "sensitivenets audit lfw.parquet agnostic.parquet"},
        ),
        library_version="0.1.0",
    )


@pytest.fixture(scope="session")
def alone(audit):
    """Return the audit of one table, without the map, verification and pictures."""
    attributes = tuple(
        dataclasses.replace(
            a,
            after=None,
            inverted=None,
            reduction=None,
            reductions=(),
            threats=a.threats[:1],
            strongest=a.before.strongest,
        )
        for a in audit.attributes
    )
    return dataclasses.replace(
        audit,
        mode="quick",
        n_features_after=None,
        attributes=attributes,
        joint=None,
        collapse_after=None,
        inversion=None,
        verification=(),
        fairness={},
        maps=None,
        provenance=Provenance(),
    )


@pytest.fixture(scope="session")
def over_all_pairs():
    """Return the function that gives the figures of a result to all pairs of a table."""

    def measured(given, groups=()):
        return AllPairsResult(
            eer=given.eer,
            eer_threshold=given.eer_threshold,
            auc=given.auc,
            fnmr_at_fmr=given.fnmr_at_fmr,
            groups=groups,
            curve=given.curve,
            n_rows=100,
            n_unlabelled=0,
            n_subjects=30,
            n_genuine=given.n_genuine,
            n_impostor=given.n_impostor,
            resolution=0.001,
        )

    return measured


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures out of the pages: they are looked at elsewhere, and take seconds."""
    monkeypatch.setattr("sensitivenets.report.rendering.pictures", lambda _: [])
