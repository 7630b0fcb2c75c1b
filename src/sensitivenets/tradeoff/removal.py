"""What is to be removed from a table, what is to be kept, and what was chosen to do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.erasers.transport.adapt import Adapted, adapted_model
from sensitivenets.errors import InputError, require_real, some_of
from sensitivenets.maps.base import FittedMap, Model
from sensitivenets.progress import Progress
from sensitivenets.report.result import Audit
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.measure import TradeOff
from sensitivenets.tradeoff.rehearsal import in_words, rehearse, why_not


@dataclass(frozen=True)
class Protection:
    """What was done to a table, and what is known of what it still tells.

    Attributes
    ----------
    model : Model
        Maps people embedded later.
    adapted : Adapted
        Rows of each predicted group, the forecast for new rows, and doubts.
    audit : Audit
        Attackers on this table, before and after. An attribute that the table has no labels of
        is attacked with its routes as labels, and its name says so.
    unlabelled : tuple of str
        Attributes, but no numbers, of which no row that was attacked has a true label.
    taken : Candidate
        What was done to the table.
    why : str
        In words, what it was compared with, or why with nothing.
    trade_off : TradeOff or None
        All that was compared.
    sample : EmbeddingTable
        Rows at random for people to label (`labelled_sample.draw_sample`).
    drawn : str or None
        In words, which rows were attacked; None for all.
    """

    model: Model
    adapted: Adapted
    audit: Audit
    unlabelled: tuple[str, ...]
    taken: Candidate
    why: str
    trade_off: TradeOff | None
    sample: EmbeddingTable
    drawn: str | None

    def lines(self) -> list[str]:
        """Say what was done and why, and what people who come later will show."""
        said = [f"taken: {self.taken}; {self.why}"]
        if self.taken.means_only:
            return [*said, "new rows: not forecast; their groups' means are moved, no covariance"]
        return said + self.adapted.forecast.lines()


@dataclass(frozen=True)
class Removal:
    """What is asked for.

    Attributes
    ----------
    attributes : tuple of str
        To hide: columns of the reference.
    numbers : tuple of str
        Numbers to hide, such as an age.
    identity : str or None
        Column that says who a row shows.
    domain : str or None
        Column of the reference that says which source a row is from.
    budget : float or None
        Verification accuracy that may be lost in the rehearsal, a fraction; None for none.
    """

    attributes: tuple[str, ...]
    numbers: tuple[str, ...]
    identity: str | None
    domain: str | None
    budget: float | None

    @classmethod
    def of(
        cls,
        remove: str | Sequence[str],
        continuous: str | Sequence[str],
        identity: str | None,
        domain: str | None,
        budget: float | None,
    ) -> Self:
        """Take the parameters of `protect`.

        Raises
        ------
        InputError
            If they contradict each other.
        """
        attributes, numbers = (
            (given,) if isinstance(given, str) else tuple(given) for given in (remove, continuous)
        )
        names = (*attributes, *numbers)
        if not names:
            raise InputError("remove: expected an attribute or a number to hide, found none")
        if identity in names:
            raise InputError(f"remove: {identity!r} is the identity, which is what is kept")
        if domain is not None and domain in [*names, identity]:
            raise InputError(
                f"domain: {domain!r} is what is removed or kept; name a source of rows"
            )
        if budget is not None:
            require_real("utility_budget", budget, minimum=0, maximum=1)
        return cls(attributes, numbers, identity, domain, budget)

    @property
    def names(self) -> tuple[str, ...]:
        """All that is hidden."""
        return (*self.attributes, *self.numbers)

    @property
    def grouped(self) -> list[str]:
        """Columns of the reference whose groups are moved onto one another."""
        return [*self.names] if self.domain is None else [*self.names, self.domain]

    def written(self, columns: Sequence[str], removed: Mapping[str, Any]) -> list[str]:
        """Return the label columns that stay: all but what is removed."""
        return [name for name in columns if name not in removed or name == self.domain]

    def compared(
        self, reference: EmbeddingTable | Model, seed: int, progress: Progress | None
    ) -> tuple[TradeOff | None, str]:
        """Rehearse on the reference where that is possible, and say in words what came of it."""
        if self.budget is None:
            return None, "nothing was compared: no budget"
        if isinstance(reference, Model):
            return None, "nothing was compared: the reference is a model, without rows"
        # Checked here, where the message can name the file.
        reference.attributes(self.grouped)
        impossible = why_not(reference, self.grouped, self.identity)
        if impossible or self.identity is None:
            return None, f"nothing was compared: {impossible}"
        try:
            found = rehearse(
                reference,
                self.names,
                self.identity,
                self.budget,
                domain=self.domain,
                seed=seed,
                progress=progress,
            )
        except InputError as error:
            # A half of the reference may be too small for what the whole of it is enough for.
            return None, f"nothing was compared: a half of the reference is too small ({error})"
        return found, in_words(found)

    def require_removed(self, reference: Model) -> None:
        """Refuse a model that leaves an attribute as it is.

        Raises
        ------
        InputError
            Naming the first one.
        """
        missing = [name for name in self.grouped if name not in reference.removed]
        if missing:
            raise InputError(
                f"reference: expected a model that removes {missing[0]!r}, found one that removes "
                f"{some_of(reference.removed)}; fit one, or give the table"
            )


def on_record(
    fitted: Model,
    adapted: Adapted,
    phi: FittedMap,
    trade_off: TradeOff | None,
    table: Mapping[str, Any],
) -> Model:
    """Make the model for later people, with the record of the rehearsal behind the adaptation's.

    Parameters
    ----------
    fitted : Model
        Where the groups come from.
    adapted : Adapted
        To the table.
    phi : FittedMap
        What is done to people who come later.
    trade_off : TradeOff, optional
        What was compared.
    table : mapping
        Record of the table's rows (`fingerprint.table_record`).
    """
    made = adapted_model(fitted, adapted, table)
    points = () if trade_off is None else trade_off.curve()
    means_only = trade_off is not None and trade_off.taken.means_only
    return replace(
        made,
        map=phi,
        method="LEACE" if means_only else made.method,
        curve=(*made.curve, *points),
    )
