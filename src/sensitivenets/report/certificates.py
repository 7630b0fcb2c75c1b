"""What is certified, in words and rows of tables."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.audit.certificates.certify import NO_BOUND, Certificates
from sensitivenets.audit.certificates.finite_outputs import FiniteBound
from sensitivenets.audit.certificates.label_forecast import LabelledAccuracy
from sensitivenets.report.details import TextRow
from sensitivenets.report.numbers import count, interval, percent, plain


@dataclass(frozen=True)
class CertificateTable:
    """One kind of certificate.

    Attributes
    ----------
    title, text : str
        What it says, and what it rests on.
    columns : tuple of str
        Headings of the cells.
    rows : tuple of TextRow
        Figures.
    words : int
        Columns, from the left, that are no figures.
    """

    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]
    words: int = 0


def certificate_tables(known: Certificates) -> tuple[CertificateTable, ...]:
    """Lay the certificates out; a kind without a figure is left out.

    Parameters
    ----------
    known : Certificates
        Of an audit.

    Returns
    -------
    tuple of CertificateTable
        Bounds, moments, more labels, power, the estimate of the Bayes error.
    """
    tables = (
        _bounds(known),
        _unlimited_labels(known),
        _more_labels(known),
        _hidden_by_chance(known),
        _best_attacker(known),
    )
    return tuple(table for table in tables if table.rows)


def _bounds(known: Certificates) -> CertificateTable:
    return CertificateTable(
        "No attacker reads more from so few values",
        "If not the templates but coarse outputs of them are given away: a bound that holds "
        "for every attacker, in 95 of 100 audits, by number of values. " + NO_BOUND,
        ("output", "values", "no attacker passes", "false match rate", "false non-match rate"),
        tuple(_bound(name, one) for name, own in known.finite_outputs.items() for one in own),
        words=1,
    )


def _unlimited_labels(known: Certificates) -> CertificateTable:
    return CertificateTable(
        "An attacker with unlimited labels that takes classes for Gaussian",
        "From the moments of the classes, noise taken off; two classes at a time. A better "
        "attacker may read more. More rows are those that a map's moments are taken over.",
        ("reads", "at most, by chance", "times the rows for 55 %"),
        tuple(
            TextRow(name, (percent(one.accuracy), percent(one.high), plain(one.more_rows, 1)))
            for name, one in known.moments.items()
        ),
    )


def _more_labels(known: Certificates) -> CertificateTable:
    return CertificateTable(
        "The same attacker with more labels",
        "Its learning curve continued by two families of curves: the middle, and the band of "
        "90 of 100 continuations. Nothing is said where the curve without its last point did "
        "not forecast that point.",
        ("attacker", "10 times the labels", "100 times"),
        tuple(
            TextRow(name, (one.attacker, *_beyond(one.beyond)))
            for name, one in known.forecasts.items()
        ),
        words=1,
    )


def _hidden_by_chance(known: Certificates) -> CertificateTable:
    return CertificateTable(
        "What these rows could have hidden",
        "Leaks planted in these very rows: the smallest that is found 95 times of 100. What "
        "is smaller may be there although nothing was found.",
        ("smallest leak found", "of which is read", "must pass"),
        tuple(
            TextRow(
                one.kind,
                (
                    "none up to 90 %" if one.smallest is None else percent(one.smallest, 0),
                    "–" if one.read is None else percent(one.read),
                    percent(one.noise_bound),
                ),
            )
            for one in known.power
        ),
    )


def _best_attacker(known: Certificates) -> CertificateTable:
    return CertificateTable(
        "An estimate of what the best attacker reads",
        "From nearest neighbours; an estimate, no bound. It is given only where it found the "
        "answer for planted classes whose answer is known.",
        ("estimate", "two standard errors", "planted answers missed by, in points"),
        tuple(
            TextRow(
                name,
                (
                    percent(one.accuracy) if one.calibrated else "not calibrated",
                    interval(one.low, one.high) if one.calibrated else "–",
                    ", ".join(plain(100 * off, 1) for off in one.off),
                ),
            )
            for name, one in known.bayes_error.items()
        ),
    )


def _bound(name: str, one: FiniteBound) -> TextRow:
    apart = "–" if one.false_non_match_rate is None else percent(one.false_non_match_rate)
    rates = (percent(one.bound), percent(one.false_match_rate, 2), apart)
    return TextRow(name, (one.output, count(one.n_cells), *rates))


def _beyond(points: tuple[LabelledAccuracy, ...]) -> tuple[str, ...]:
    if not points:
        return ("not forecast", "not forecast")
    return tuple(
        f"{percent(one.balanced_accuracy)} {interval(one.low, one.high)}" for one in points
    )
