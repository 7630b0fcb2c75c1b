"""Sensitivity detectors: softmax layers w_k that read one attribute from phi(x)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import DetectorWarning, InputError, require_one_of
from sensitivenets.sensitivenet.losses import sensitive_regulariser
from sensitivenets.sensitivenet.parameters import PhiParameters, Solver
from sensitivenets.sensitivenet.phi import compact, unit_rows

IntArray = npt.NDArray[np.int64]

# Section 4.2 of the paper.
_ADAM_EPOCHS, _ADAM_BATCH, _ADAM_RATE, _ADAM_BETAS = 150, 128, 1e-3, (0.9, 0.999)
_LBFGS_ITERATIONS = 200
# One row in five of D-S is kept from the fit, to see whether the detector learned anything.
_HELD_OUT = 0.2


@dataclass(frozen=True)
class SensitivityDetector:
    """A softmax layer.

    Attributes
    ----------
    weight : ndarray of shape (k, c)
        One column a class.
    bias : ndarray of shape (c,)
        One value a class.
    balanced_accuracy : float
        On rows of D-S kept from the fit, in [0, 1]; 1/c is chance.
    """

    weight: FloatArray
    bias: FloatArray
    balanced_accuracy: float


class DetectorTrainer:
    """Trains the detector of one attribute again and again, each time from where it stopped.

    Parameters
    ----------
    attribute : Labels
        Labels of the rows of D-S.
    solver : {"lbfgs", "adam"}
        Multinomial regression solved to its optimum, or the recipe of section 4.2: Adam,
        learning rate 1e-3, batches of 128, 150 epochs.
    C : float
        Inverse strength of the l2 penalty of ``"lbfgs"``.
    seed : int
        Decides the held-out rows, and for ``"adam"`` the initial weights and the batches.
    """

    def __init__(self, attribute: Labels, *, solver: Solver, C: float, seed: int) -> None:
        self.attribute = attribute
        self._solver = solver
        self._seed = seed
        rows = np.flatnonzero(attribute.labelled)
        held_out = np.random.default_rng(seed).random(len(rows)) < _HELD_OUT
        first_of_class = np.unique(attribute.codes[rows], return_index=True)[1]
        held_out[first_of_class] = False  # every class is learned, even one with a single row
        self._fitted, self._measured = rows[~held_out], rows[held_out]
        self._regression = LogisticRegression(C=C, max_iter=_LBFGS_ITERATIONS, warm_start=True)

    @property
    def chance_ceiling(self) -> float:
        """Balanced accuracy that guessing stays under on the held-out rows, 19 times in 20."""
        counts = np.bincount(self.attribute.codes[self._measured])
        counts = counts[counts > 0]
        chance = 1 / len(self.attribute.classes)
        variance = chance * (1 - chance) * np.sum(1 / counts) / max(len(counts), 1) ** 2
        return float(chance + 1.645 * np.sqrt(variance))

    def fit(self, phi: FloatArray) -> SensitivityDetector:
        """Best response to the present representation.

        Parameters
        ----------
        phi : ndarray of shape (n, k)
            phi(x) of all rows of D-S, in any orthonormal basis: a rotation changes no optimum.

        Returns
        -------
        SensitivityDetector
            With as many columns as the attribute has classes.
        """
        X, y = phi[self._fitted], self.attribute.codes[self._fitted]
        solve = self._solve_lbfgs if self._solver == "lbfgs" else self._solve_adam
        weight, bias = solve(X, y)
        guess = np.argmax(phi[self._measured] @ weight + bias, axis=1)
        truth = self.attribute.codes[self._measured]
        accuracy = balanced_accuracy_score(truth, guess) if len(truth) else float("nan")
        return SensitivityDetector(weight, bias, float(accuracy))

    def _solve_lbfgs(self, X: FloatArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        if getattr(self._regression, "n_features_in_", X.shape[1]) != X.shape[1]:
            self._regression = clone(self._regression)  # phi is narrower than x: start anew
        with warnings.catch_warnings():
            # The next call goes on from here, so an unfinished solve costs nothing.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._regression.fit(X, y)
        coefficients, intercept = self._regression.coef_, self._regression.intercept_
        if len(coefficients) == 1:  # scikit-learn keeps one column for two classes
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercept = np.concatenate([-intercept, intercept]) / 2
        return coefficients.T.astype(X.dtype), intercept.astype(X.dtype)

    def _solve_adam(self, X: FloatArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        generator = torch.Generator().manual_seed(self._seed)
        bound = X.shape[1] ** -0.5
        shape = (X.shape[1] + 1, len(self.attribute.classes))
        layer = (torch.rand(shape, generator=generator) * 2 - 1) * bound  # last row: the bias
        layer.requires_grad_()
        optimiser = torch.optim.Adam([layer], lr=_ADAM_RATE, betas=_ADAM_BETAS)
        features, classes = torch.from_numpy(X), torch.from_numpy(y)
        for _ in range(_ADAM_EPOCHS):
            order = torch.randperm(len(X), generator=generator)
            for batch in torch.split(order, _ADAM_BATCH):
                logits = features[batch] @ layer[:-1] + layer[-1]
                loss = torch.nn.functional.cross_entropy(logits, classes[batch])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        solved = layer.detach().numpy()
        return solved[:-1].copy(), solved[-1].copy()


@dataclass(frozen=True)
class Adversary:
    """One attribute to remove.

    Attributes
    ----------
    trainer : DetectorTrainer
        Who detects it.
    X : ndarray of shape (n, d), float32
        Unit embeddings of D-S.
    target_class : int
        D_k: the class that all rows shall show.
    target : float
        The probability of that class to drive detectors to; 0.9 in Eq. 6.
    """

    trainer: DetectorTrainer
    X: FloatArray
    target_class: int
    target: float


@dataclass(frozen=True)
class FrozenDetector:
    """A detector on phi as the loss of phi sees it: constants.

    Attributes
    ----------
    name : str
        The attribute.
    weight : Tensor of shape (n_units, c)
        One column a class.
    bias : Tensor of shape (c,)
        One value a class.
    target_class : int
        D_k.
    target : float
        Its probability to aim at.
    balanced_accuracy : float
        On rows of D-S it was not fitted on; 1/c is chance.
    """

    name: str
    weight: Tensor
    bias: Tensor
    target_class: int
    target: float
    balanced_accuracy: float


def best_responses(
    adversaries: Sequence[Adversary], folded: FloatArray, device: torch.device
) -> list[FrozenDetector]:
    """Re-train every detector on phi(D-S) and freeze it.

    Parameters
    ----------
    adversaries : sequence of Adversary
        One an attribute.
    folded : ndarray of shape (d, n_units)
        phi. The fit takes place in its `compact` form, whose optimum is the same, turned.
    device : torch.device
        Where phi is trained.

    Returns
    -------
    list of FrozenDetector
        In the order of `adversaries`.
    """
    root, basis = compact(folded)
    frozen = []
    for adversary in adversaries:
        detector = adversary.trainer.fit(unit_rows(adversary.X, root))
        frozen.append(
            FrozenDetector(
                adversary.trainer.attribute.name,
                torch.from_numpy(basis @ detector.weight).to(device),
                torch.from_numpy(detector.bias).to(device),
                adversary.target_class,
                adversary.target,
                detector.balanced_accuracy,
            )
        )
    return frozen


def regulariser(products: Tensor, detectors: Sequence[FrozenDetector], weights: Tensor) -> Tensor:
    """Sum Lambda (Eq. 6) over detectors, weighted over rows.

    Parameters
    ----------
    products : Tensor of shape (u, c1 + c2 + ...)
        phi(x) times the weights of each detector, side by side.
    detectors : sequence of FrozenDetector
        In that order.
    weights : Tensor of shape (u,)
        How much each row counts.

    Returns
    -------
    Tensor, scalar
        Lower hides more from these detectors.
    """
    total = products.new_zeros(())
    first = 0
    for detector in detectors:
        logits = products[:, first : first + len(detector.bias)] + detector.bias
        probability = torch.softmax(logits, dim=1)[:, detector.target_class]
        total = total + weights @ sensitive_regulariser(probability, target=detector.target)
        first += len(detector.bias)
    return total


def make_adversaries(
    attributes: Mapping[str, Labels], X: FloatArray, parameters: PhiParameters, seed: int
) -> list[Adversary]:
    """Train the first detector of each attribute, on the embeddings themselves.

    Raises
    ------
    InputError
        If `target_classes` names an unknown attribute or class.

    Warns
    -----
    DetectorWarning
        If a detector reads its attribute no better than chance.
    """
    targets = dict(parameters.target_classes or {})
    unknown = sorted(set(targets) - set(attributes))
    if unknown:
        raise InputError(
            f"target_classes: {unknown} not among the attributes to remove, {list(attributes)}"
        )
    adversaries = []
    for name, labels in attributes.items():
        target = targets.get(name, labels.classes[0])
        require_one_of(f"target_classes[{name!r}]", target, labels.classes)
        trainer = DetectorTrainer(
            labels, solver=parameters.detector_solver, C=parameters.detector_C, seed=seed
        )
        read = trainer.fit(X).balanced_accuracy
        if not read > trainer.chance_ceiling:
            warnings.warn(
                f"the detector of {name!r} never learned it: balanced accuracy {100 * read:.1f} % "
                f"on held-out rows, where chance reaches {100 * trainer.chance_ceiling:.1f} %; "
                "there is nothing linear to remove, or D-S is too small to see it",
                DetectorWarning,
                stacklevel=2,
            )
        aim = 1 / len(labels.classes) if parameters.target == "chance" else float(parameters.target)
        adversaries.append(Adversary(trainer, X, labels.classes.index(target), aim))
    return adversaries
