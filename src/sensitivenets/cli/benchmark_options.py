"""The options of ``sensitivenets benchmark``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from sensitivenets.atomic import check_parent
from sensitivenets.cli.engine_options import AttackEngineOptions
from sensitivenets.cli.options import Quick
from sensitivenets.errors import InputError

_DATA, _RUNS = Group("Data", sort_key=2), Group("Runs", sort_key=3)
_Many = Annotated[list[str], Parameter(show_default=False)]


@Parameter(name="*", group=_DATA)
@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What methods learn from, what is attacked, and what is verified.

    Attributes
    ----------
    attribute
        Attribute to remove and to attack, a column; give the option once for each.
    identity
        Column that says who a row shows: what methods keep. Needed by some.
    task
        Column of a label of few classes, such as smiling, for methods that keep one and cannot
        keep identities: splince, identity_span, identity_transport.
    where
        Fit on the rows with COLUMN=VALUE only; may be given several times.
    detector
        Another table of embeddings of the same network, from which methods learn the attributes.
    detector_where
        Use only the rows of it with COLUMN=VALUE; may be given several times.
    attack
        Table whose rows are attacked; the first table unless given.
    attack_identity
        Column of it that says who a row shows; as --identity unless given.
    train
        COLUMN=VALUE of the rows that the attackers learn from; drawn unless given, no one on two
        sides.
    test
        COLUMN=VALUE of the rows that are attacked.
    apart
        Cosine: training rows of the attackers that are this near to an attacked row, probably the
        same person, are left out. For tables without identities.
    verification
        Table whose rows are verified; all pairs of the attacked rows unless given.
    verification_identity
        Column of it that says who a row shows; for all pairs, or for intervals with --pairs.
    pairs
        Pairs of rows of --verification to compare: .parquet, or a pairs.txt of LFW.
    image
        Column of --verification with the image numbers that a pairs.txt names.
    protocol
        Protocol of --pairs, such as view2; may be given several times, the first decides.
    embedding
        Name of the embedding column in every table.
    about
        What the embeddings are, such as their network and photographs: a line for the page.
    """

    attribute: _Many
    identity: str | None = None
    task: str | None = None
    where: _Many = field(default_factory=list)
    detector: Path | None = None
    detector_where: _Many = field(default_factory=list)
    attack: Path | None = None
    attack_identity: str | None = None
    train: str | None = None
    test: str | None = None
    apart: float | None = None
    verification: Path | None = None
    verification_identity: str | None = None
    pairs: Path | None = None
    image: str = "image"
    protocol: _Many = field(default_factory=list)
    embedding: str = "embedding"
    about: str = ""

    def __post_init__(self) -> None:
        if self.detector is None and self.detector_where:
            raise InputError("--detector-where: expected --detector with it; give both or neither")
        if (self.train is None) != (self.test is None):
            raise InputError("expected --train and --test together, such as --train split=train")
        if self.pairs is not None and self.verification is None:
            raise InputError("--pairs: expected --verification, the table whose rows they name")
        if self.protocol and self.pairs is None:
            raise InputError("--protocol is for given pairs: add --pairs")
        if self.verification is not None and not (self.pairs or self.verification_identity):
            raise InputError("--verification: expected --pairs or --verification-identity with it")
        if self.attack is None and self.attack_identity is not None:
            raise InputError("--attack-identity: expected --attack with it; --identity is enough")


@Parameter(name="*", group=_RUNS)
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which methods, how often, how many at a time.

    Attributes
    ----------
    out
        Folder for the records of the runs, results.parquet, leaderboard.json and index.html. Give
        the same folder again to go on with what is missing.
    methods
        Method to run, or several with commas, or all (without --task: all but
        those that keep a label and no identities);
        package.module:Class is one of your own.
    grid
        JSON file with the parameters to try, such as {"ive": {"removed": [0.25, 0.5]}}.
    seed
        Seed of the methods; give the option once for each.
    quick
        Attack with the three attackers of the paper only, and invert no map: much faster, and
        easier to withstand.
    random_state
        Seed of the attackers, the split and the intervals.
    engine
        processes are --n-jobs on this machine; process is one at a time; ray is a cluster, of
        which each core takes a run, the data sent along. Each run has a process of its own.
    n_jobs
        Runs at a time, of processes.
    ray_address
        Ray cluster to join: HOST:PORT, or auto for the one that runs on this machine. Without it
        one is started here.
    n_threads
        Threads of each run.
    time_limit
        Seconds that one run may take, its attackers included.
    retry
        Run again what failed before.
    """

    out: Path
    methods: _Many = field(default_factory=lambda: ["all"])
    grid: Path | None = None
    seed: Annotated[list[int], Parameter(show_default=False)] = field(default_factory=lambda: [0])
    quick: Quick = False
    random_state: int = 0
    engine: Literal["process", "processes", "ray"] = "processes"
    n_jobs: int = 2
    ray_address: str | None = None
    n_threads: int = 1
    time_limit: float | None = None
    retry: bool = False

    def __post_init__(self) -> None:
        for name, value in (("--n-jobs", self.n_jobs), ("--n-threads", self.n_threads)):
            if value < 1:
                raise InputError(f"{name}: expected at least 1, found {value}")
        if self.time_limit is not None and self.time_limit <= 0:
            raise InputError(f"--time-limit: expected seconds above 0, found {self.time_limit:g}")
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"{self.out}: expected a folder for the leaderboard, found a file")
        check_parent(self.out)

    @property
    def work(self) -> AttackEngineOptions:
        """Who does the runs, as `audit` asks who runs attackers."""
        return AttackEngineOptions(
            engine=self.engine, n_jobs=self.n_jobs, ray_address=self.ray_address
        )

    @property
    def method_names(self) -> list[str]:
        """The methods one by one."""
        return [name for text in self.methods for name in text.split(",") if name]
