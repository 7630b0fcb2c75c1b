"""The attack: every attacker on every preparation that it is shown, on classes and on numbers.

One trial is an attacker that chooses its parameters on held-out identities, is fitted again on all
it may see, and is asked about the test rows. Whatever it does wrong becomes a note of its trial.

Who is wrong more often than a guess has read something: moments made equal over training and test
rows together leave in one part the opposite of what they leave in the other. So every attacker is
judged two-sided. If it is reliably below chance on the held-out identities its answers are turned,
there and on the test rows; the test rows have no say in that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sensitivenets.audit.preparations import L2, RAW, STANDARDISED, WHITENED, Preparations
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask, ClassTask, seed_of
from sensitivenets.embeddings import FloatArray
from sensitivenets.progress import Steps

T = TypeVar("T")

#: The `map` of an engine: of a function and of parts, results in the order of the parts.
EngineMap = Callable[[Callable[[int], Any], Iterable[int]], Iterator[Any]]


@dataclass(frozen=True)
class Workers:
    """Who does the jobs of an attack.

    Attributes
    ----------
    n_jobs : int
        Processes; 1 does them here.
    engine : EngineMap, optional
        Does them instead, in processes: warnings of a job become its notes, which threads mix up.
    kernels : object, optional
        Makes the matrices of kernel machines (`attackers.smooth_functions.Kernels`); numpy unless
        given.
    """

    n_jobs: int = 1
    engine: EngineMap | None = None
    kernels: Any = None

    def equipped(self, attacker: Attacker) -> Attacker:
        """Return an attacker whose kernel machines have their matrices made so."""
        if self.kernels is None:
            return attacker
        candidates = (
            (parameters, _with_kernels(estimator, self.kernels))
            for parameters, estimator in attacker.candidates
        )
        return replace(attacker, candidates=tuple(candidates))

    def call(
        self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]
    ) -> Generator[T, None, None]:
        """Yield what a function makes of each tuple of arguments, in their order."""
        if self.engine is not None:
            yield from self.engine(_Jobs(function, jobs), range(len(jobs)))
        elif self.n_jobs == 1:
            yield from map(_Jobs(function, jobs), range(len(jobs)))
        else:
            with parallel_config("loky", inner_max_num_threads=1), threadpool_limits(1):
                parallel = Parallel(n_jobs=self.n_jobs, return_as="generator", max_nbytes="1M")
                yield from parallel(delayed(function)(*job) for job in jobs)


def _with_kernels(estimator: Any, kernels: Any) -> Any:
    takes = "kernels" in estimator.get_params(deep=False)
    return clone(estimator).set_params(kernels=kernels) if takes else estimator


@dataclass(frozen=True)
class _Jobs:
    """Does the job of a number: arguments that jobs share are then sent to a machine once."""

    function: Callable[..., Any]
    jobs: Sequence[tuple[Any, ...]]

    def __call__(self, number: int) -> Any:
        with threadpool_limits(1):
            return self.function(*self.jobs[number])


@dataclass(frozen=True)
class Attacker:
    """One attacker: scikit-learn estimators, what they look at, and the parameters to choose from.

    Attributes
    ----------
    name : str
        As shown in reports.
    candidates : tuple of (dict, estimator)
        Parameters to report and an unfitted scikit-learn classifier, or regressor for numbers; the
        best on held-out identities is taken.
    preparations : tuple of str
        What it is shown; a preparation that changes nothing for it is left out.
    sees_coordinates : bool
        Whether it looks at single features. If not, it gets the rows in a basis of their rank,
        which changes nothing for it but the time.
    corrects_prior : bool
        Whether its scores are log posteriors under the training shares of the classes, to be
        corrected to equal shares, as balanced accuracy asks.
    n_seeds : int
        Fits with different seeds whose outputs are averaged.
    max_rows : int
        Training rows it can take; of more, a random part is used, and noted.
    by_groups : bool
        Whether it is fitted on all audited attributes crossed, and its log densities of those
        groups are summed to the classes of the attribute that is read.
    turned : bool
        Whether its answers are turned where no rows are held out to decide that on.
    cost : float
        Rough seconds, to start the longest first.
    """

    name: str
    candidates: tuple[tuple[dict[str, Any], Any], ...]
    preparations: tuple[str, ...] = (RAW, L2, STANDARDISED, WHITENED)
    sees_coordinates: bool = False
    corrects_prior: bool = False
    n_seeds: int = 1
    max_rows: int = 50_000
    by_groups: bool = False
    turned: bool = False
    cost: float = 1.0

    def views(self, prepared: Preparations) -> dict[str, FloatArray]:
        """Return the rows that it is shown, by the name of their preparation."""
        return {
            name: rows.coordinates if self.sees_coordinates else rows.rotated
            for name in self.preparations
            if (rows := prepared.by_name.get(name)) is not None
        }


@dataclass(frozen=True)
class Trial:
    """What one attacker achieved on one preparation.

    Attributes
    ----------
    attacker, preparation : str
        Which.
    outputs : ndarray of shape (test rows, K) or (test rows, 1), or None
        Class scores, higher means more of that class, or predicted numbers; None if the attacker
        failed.
    validation : float or None
        Balanced accuracy or R2 on the validation rows.
    validation_outputs : ndarray of shape (validation rows, K) or (validation rows, 1), or None
        Outputs there.
    parameters : dict
        The parameters chosen.
    notes : tuple of str
        Failures and warnings.
    turned : bool
        Whether the outputs are turned, because they were below chance on the validation rows.
    """

    attacker: str
    preparation: str
    outputs: FloatArray | None
    validation: float | None = None
    validation_outputs: FloatArray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    turned: bool = False

    @property
    def predictions(self) -> IntArray:
        """Class codes of the test rows, where classes were read and the attacker did not fail."""
        assert self.outputs is not None
        return np.asarray(self.outputs.argmax(axis=1))


@dataclass(frozen=True)
class Attack:
    """One task on one representation, and by whom.

    Attributes
    ----------
    representation : str
        Its name, such as ``"before"``.
    prepared : Preparations
        Its rows.
    task : AttackTask
        What is to be read.
    attackers : tuple of Attacker
        By whom.
    means : str
        What the adversary has on top, put behind the name of a preparation.
    """

    representation: str
    prepared: Preparations
    task: AttackTask
    attackers: tuple[Attacker, ...]
    means: str = ""

    @property
    def views(self) -> list[tuple[Attacker, str, FloatArray]]:
        """Each attacker with the name and the rows of each preparation that it is shown."""
        behind = f", {self.means}" if self.means else ""
        return [
            (attacker, f"{name}{behind}", X)
            for attacker in self.attackers
            for name, X in attacker.views(self.prepared).items()
        ]


@dataclass(frozen=True)
class Advantage:
    """What an adversary has beside labelled embeddings of the audited table, and how it attacks.

    Attributes
    ----------
    means : str
        What it has, in a few words.
    representation : str
        Whose results it joins: ``"after"`` if it does not know the map, else ``"inverted"``.
    prepared : Preparations
        Training rows, test rows, and then whatever rows it has on top.
    task_of : callable
        The task of an attribute, with those rows in it, from the task without; None where the
        attribute cannot be attacked so.
    attackers : tuple of Attacker
        By whom.
    """

    means: str
    representation: str
    prepared: Preparations
    task_of: Callable[[ClassTask], ClassTask | None]
    attackers: tuple[Attacker, ...]

    def attack_on(self, task: AttackTask) -> list[Attack]:
        """Return its attack on an attribute of classes, or none."""
        own = self.task_of(task) if isinstance(task, ClassTask) and not task.is_joint else None
        if own is None:
            return []
        return [Attack(self.representation, self.prepared, own, self.attackers, self.means)]


def attack(
    attacks: Sequence[Attack], *, seed: int, workers: Workers, steps: Steps
) -> list[tuple[Trial, ...]]:
    """Run every attacker of every attack on all that it is shown.

    Parameters
    ----------
    attacks : sequence of Attack
        What to run; all trials share the workers.
    seed : int
        Decides everything.
    workers : Workers
        Who does the jobs.
    steps : Steps
        Told of each trial.

    Returns
    -------
    list of tuple of Trial
        Of each attack, failed trials included.
    """
    jobs = [(k, *view) for k, one in enumerate(attacks) for view in one.views]
    steps.total += len(jobs)
    found = run_jobs(
        run_trial,
        [(workers.equipped(who), name, X, attacks[k].task, seed) for k, who, name, X in jobs],
        costs=[attacker.cost for _, attacker, _, _ in jobs],
        names=[
            f"{attacks[k].task.name}, {attacks[k].representation}: {attacker.name}"
            for k, attacker, _, _ in jobs
        ],
        workers=workers,
        steps=steps,
    )
    trials: list[list[Trial]] = [[] for _ in attacks]
    for (k, *_), trial in zip(jobs, found, strict=True):
        trials[k].append(trial)
    return [tuple(own) for own in trials]


def run_trial(attacker: Attacker, name: str, X: FloatArray, task: AttackTask, seed: int) -> Trial:
    """Tune, fit and attack; an exception becomes a note.

    Parameters
    ----------
    attacker : Attacker
        Who attacks.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d), float32
        The prepared rows.
    task : AttackTask
        What is to be read.
    seed : int
        Decides everything, together with the names.

    Returns
    -------
    Trial
        Never raises for what the attacker does.
    """
    seed = seed_of(seed, attacker.name, name, task.name)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            trial = _tuned_trial(attacker, name, X, task, seed)
        except Exception as error:  # noqa: BLE001 - an attacker may fail in any way; it is reported
            reason = f"failed: {type(error).__name__}: {error}".splitlines()[0]
            trial = Trial(attacker.name, name, None, notes=(reason,))
    notes = dict.fromkeys([*trial.notes, *_describe(caught)])
    return replace(trial, notes=tuple(notes))


def _tuned_trial(
    attacker: Attacker, name: str, X: FloatArray, task: AttackTask, seed: int
) -> Trial:
    chosen = _Chosen(*attacker.candidates[0], None, None, attacker.turned)
    if len(task.validate):
        tried = [
            _held_out(attacker, parameters, estimator, X, task, seed)
            for parameters, estimator in attacker.candidates
        ]
        chosen = max(tried, key=lambda candidate: candidate.rate or 0.0)
    rows, notes = _affordable(task.train, attacker.max_rows, seed)
    outputs = _outputs(
        attacker, chosen.estimator, X, task, rows, task.test, seed, n_seeds=attacker.n_seeds
    )
    if chosen.turned:
        outputs = task.turned(outputs)
        notes = (*notes, "below chance on the validation rows: turned")
    return Trial(
        attacker.name,
        name,
        outputs,
        chosen.rate,
        chosen.outputs,
        chosen.parameters,
        notes,
        chosen.turned,
    )


@dataclass(frozen=True)
class _Chosen:
    """Parameters, their estimator, and what it says of the validation rows, turned or not."""

    parameters: dict[str, Any]
    estimator: Any
    rate: float | None
    outputs: FloatArray | None
    turned: bool


def _held_out(
    attacker: Attacker,
    parameters: dict[str, Any],
    estimator: Any,
    X: FloatArray,
    task: AttackTask,
    seed: int,
) -> _Chosen:
    rows = task.validate
    outputs = _outputs(attacker, estimator, X, task, task.tune, rows, seed, n_seeds=1)
    turned = task.is_below_chance(rows, outputs)
    if turned:
        outputs = task.turned(outputs)
    return _Chosen(parameters, estimator, task.rate(rows, outputs), outputs, turned)


def _outputs(
    attacker: Attacker,
    estimator: Any,
    X: FloatArray,
    task: AttackTask,
    train: IntArray,
    test: IntArray,
    seed: int,
    *,
    n_seeds: int,
) -> FloatArray:
    fits = [
        task.fit_and_ask(
            seeded(estimator, seed + k, always=attacker.n_seeds > 1),
            X,
            train,
            test,
            corrects_prior=attacker.corrects_prior,
            by_groups=attacker.by_groups,
        )
        for k in range(n_seeds)
    ]
    return np.asarray(sum(fits[1:], fits[0]) / n_seeds)


def seeded(estimator: Any, seed: int, *, always: bool = False) -> Any:
    """Clone an estimator and seed what takes a seed; one of its own is kept unless `always`."""
    model = clone(estimator)
    parameters = model.get_params(deep=True)
    unseeded = [
        key
        for key, value in parameters.items()
        if key.split("__")[-1] == "random_state" and (always or value is None)
    ]
    return model.set_params(**dict.fromkeys(unseeded, seed % 2**31))


def run_jobs(
    function: Callable[..., T],
    jobs: Sequence[tuple[Any, ...]],
    *,
    costs: Sequence[float],
    names: Sequence[str],
    workers: Workers,
    steps: Steps,
) -> list[T]:
    """Call a function for each tuple of arguments, the costliest first.

    One thread each, wherever they are called: results do not depend on `workers`.

    Parameters
    ----------
    function : callable
        Of a module, so that a process can import it.
    jobs : sequence of tuple
        Arguments; large arrays reach processes as memory maps.
    costs : sequence of float
        Rough costs.
    names : sequence of str
        What to show when done.
    workers : Workers
        Who does the jobs.
    steps : Steps
        Told of each.

    Returns
    -------
    list
        In the order of `jobs`.
    """
    order = sorted(range(len(jobs)), key=lambda i: -costs[i])
    results: dict[int, T] = {}
    with closing(workers.call(function, [jobs[i] for i in order])) as done:
        for i, result in zip(order, done, strict=True):
            results[i] = result
            steps.advance(names[i])
    return [results[i] for i in range(len(jobs))]


def _affordable(rows: IntArray, max_rows: int, seed: int) -> tuple[IntArray, tuple[str, ...]]:
    if len(rows) <= max_rows:
        return rows, ()
    part = np.sort(np.random.default_rng(seed).permutation(rows)[:max_rows])
    return part, (f"trained on {max_rows} of {len(rows)} rows",)


def _describe(caught: list[warnings.WarningMessage]) -> list[str]:
    notes = []
    for warning in caught:
        text = str(warning.message).strip().splitlines()[0]
        if issubclass(warning.category, ConvergenceWarning):
            text = f"did not converge: {text}"
        notes.append(text)
    return notes
