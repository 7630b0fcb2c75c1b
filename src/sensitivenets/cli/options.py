"""Options that several commands have: one idea, one name, one default."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

#: Columns whose groups are hidden; ``--attribute`` is what the same columns are called elsewhere.
Removed = Annotated[list[str] | None, Parameter(name=("--remove", "--attribute"))]

#: Whether the three attackers of the paper do. The whole audit is the default wherever there is
#: a choice: a figure that nobody asked to be easy is the hard one.
Quick = Annotated[
    bool,
    Parameter(negative="--full", show_default=lambda quick: "--quick" if quick else "--full"),
]
