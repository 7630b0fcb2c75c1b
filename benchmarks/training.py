"""Time of an epoch of 100 000 triplets against the bare matrix products it must contain.

A layer of d x k weights needs X W and its gradient X^T (dL/dXW) for every batch of unique rows:
4 d k floating-point operations a row. Both are timed batch by batch in turn, on the same rows with
the same library, so that the ratio holds when the machine's speed drifts. The detectors (two
attributes, 9 000 rows, re-trained four times an epoch) are timed apart: they are no part of those
products. A ratio above 100 % means that fewer operations than the bare products were needed
(see learning/unit_products.py).

    python benchmarks/training.py [--threads 2] [--repeat 3]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from sensitivenets.embeddings import Labels
from sensitivenets.sensitivenet.detectors import Adversary, DetectorTrainer, best_responses
from sensitivenets.sensitivenet.parameters import PhiParameters
from sensitivenets.sensitivenet.phi import Phi
from sensitivenets.sensitivenet.tasks import TripletTask
from sensitivenets.sensitivenet.training import eq4_terms
from sensitivenets.sensitivenet.triplets import Triplets

N_ROWS, IMAGES, N_TRIPLETS, N_UNITS = 20_000, 4, 100_000, 1024
DETECTOR_ROWS, DETECTOR_FITS = 9_000, 4
CPU = torch.device("cpu")


def unit_rows(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Random directions."""
    X = rng.standard_normal((n, d), dtype=np.float32)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def random_triplets(rng: np.random.Generator) -> Triplets:
    """Anchor and positive of one identity, negative of any other."""
    anchor = rng.integers(0, N_ROWS, N_TRIPLETS)
    step = rng.integers(1, IMAGES, N_TRIPLETS)
    positive = anchor // IMAGES * IMAGES + (anchor % IMAGES + step) % IMAGES
    negative = (anchor + rng.integers(IMAGES, N_ROWS - IMAGES, N_TRIPLETS)) % N_ROWS
    return Triplets(np.stack([anchor, positive, negative], axis=1), N_TRIPLETS)


def adversaries(X: np.ndarray, rng: np.random.Generator) -> list[Adversary]:
    """Two attributes that a direction of `X` carries."""
    found = []
    for name, classes in (("gender", 2), ("ethnicity", 3)):
        score = X @ rng.standard_normal(X.shape[1]).astype(np.float32)
        codes = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
        labels = Labels(name, codes.astype(np.int64), tuple("abc"[:classes]))
        trainer = DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=0)
        found.append(Adversary(trainer, X, 0, 0.9))
    return found


def default_parameters() -> PhiParameters:
    """Take the parameters of `SensitiveNet` as it comes."""
    return PhiParameters(n_epochs=1, n_units=N_UNITS)


def epoch(d: int, seed: int) -> tuple[float, float, float]:
    """Return seconds of the steps, of their bare products, and of the detectors."""
    rng = np.random.default_rng(seed)
    parameters = default_parameters()
    X = unit_rows(N_ROWS, d, rng)
    task = TripletTask(random_triplets(rng), margin=parameters.margin, hinge=parameters.hinge)
    phi = Phi(X, N_UNITS, CPU)
    phi.add_layer(parameters.init, torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam([phi.weight], lr=parameters.learning_rate, fused=True)
    opponents = adversaries(unit_rows(DETECTOR_ROWS, d, rng), rng)
    started = time.perf_counter()
    for _ in range(DETECTOR_FITS):
        detectors = best_responses(opponents, phi.folded(), CPU)
    detecting = time.perf_counter() - started
    inputs, weight = torch.from_numpy(X), phi.weight.detach().clone()
    steps = products = 0.0
    for step, batch in enumerate(task.batches(parameters.batch_size, rng)):
        started = time.perf_counter()
        primary, hidden = eq4_terms(phi, task, batch, detectors, parameters, step)
        optimiser.zero_grad()
        (primary + parameters.adversarial_weight * hidden).backward()
        optimiser.step()
        middle = time.perf_counter()
        rows = inputs[torch.from_numpy(batch.rows)]
        rows.T @ (rows @ weight)
        steps += middle - started
        products += time.perf_counter() - middle
    return steps, products, detecting


def main() -> None:
    """Print one line for each width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{N_TRIPLETS} triplets, {N_ROWS} rows, {N_UNITS} units, {arguments.threads} threads")
    for d in (512, 2048):
        epoch_seconds = np.array([epoch(d, seed) for seed in range(arguments.repeat)])
        steps, products, detecting = np.median(epoch_seconds, axis=0)
        ratio = np.median(epoch_seconds[:, 1] / epoch_seconds[:, 0])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"d = {d:4}: epoch {steps:6.1f} s, bare products {products:6.1f} s, "
            f"{100 * ratio:4.0f} % of that roof; detectors {detecting:5.1f} s more; "
            f"peak memory {peak:.2f} GiB"
        )


if __name__ == "__main__":
    main()
