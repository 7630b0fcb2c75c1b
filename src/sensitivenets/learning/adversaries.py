"""The sensitivity detectors' side of Eq. 4: best responses to phi, and Lambda through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.learning.detectors import DetectorTrainer
from sensitivenets.learning.losses import sensitive_regulariser
from sensitivenets.learning.projection import compact, unit_rows


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
