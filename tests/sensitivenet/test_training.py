"""Fig. 2 against a loop written from the paper: three copies of phi, autograd, no caching."""

import numpy as np
import pytest
import torch

from sensitivenets.embeddings import encode
from sensitivenets.sensitivenet.detectors import Adversary, DetectorTrainer, best_responses
from sensitivenets.sensitivenet.parameters import PhiParameters
from sensitivenets.sensitivenet.phi import Phi, compact, initial_weight, unit_rows
from sensitivenets.sensitivenet.tasks import ClassificationTask, TripletMiner, TripletTask
from sensitivenets.sensitivenet.training import train
from sensitivenets.sensitivenet.triplets import mine_triplets

CPU = torch.device("cpu")
SETTINGS = {
    "n_layers": 2,
    "n_units": 12,
    "n_epochs": 2,
    "batch_size": 40,
    "learning_rate": 1e-2,
    "n_triplets": 100,
    "remine": False,
    "adversarial_weight": 0.5,
    "target": 0.9,
    "detector_interval": 2,
}


def changed(**parameters):
    return PhiParameters(**SETTINGS | parameters)


def faces(n_subjects=30, images=4, d=5, seed=0):
    rng = np.random.default_rng(seed)
    gender = rng.integers(0, 2, n_subjects)
    identity = rng.standard_normal((n_subjects, d)) + 1.5 * np.outer(2 * gender - 1, np.eye(d)[0])
    X = np.repeat(identity, images, axis=0) + 0.3 * rng.standard_normal((n_subjects * images, d))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    group = rng.integers(0, 3, n_subjects)
    labels = {"gender": gender, "group": group}
    return (
        X,
        np.repeat(np.arange(n_subjects), images),
        {name: encode(name, np.repeat(codes, images)) for name, codes in labels.items()},
    )


def adversaries(X, attributes):
    return [
        Adversary(DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=0), X, 0, 0.9)
        for labels in attributes.values()
    ]


def triplets_of(X, subjects, settings):
    return mine_triplets(
        X,
        subjects,
        margin=settings.margin,
        n_triplets=settings.n_triplets,
        rng=np.random.default_rng(0),
    )


def paper_loop(X, triplets, opponents, settings, seed):
    """Eq. 4 to 6, one triplet after the other."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    rng.permutation(len(X))  # the rows that train() watches for collapse
    inputs = torch.from_numpy(X)
    frozen = np.eye(X.shape[1], dtype=np.float32)
    for _ in range(settings.n_layers):
        W = initial_weight(inputs.shape[1], settings.n_units, settings.init, generator, CPU)
        optimiser = torch.optim.Adam([W], lr=settings.learning_rate)
        step = 0
        for _ in range(settings.n_epochs):
            order = rng.permutation(len(triplets))
            for start in range(0, len(order), settings.batch_size):
                if step % settings.detector_interval == 0:
                    now = W.detach().numpy()
                    detectors = best_responses(opponents, frozen @ now, CPU)
                detector = detectors[step % len(detectors)]
                batch = triplets.rows[order[start : start + settings.batch_size]]
                loss = torch.zeros(())
                for a, p, n in batch:
                    phi = torch.nn.functional.normalize(inputs[[a, p, n]] @ W, dim=1)
                    eq5 = (
                        (phi[0] - phi[1]).square().sum()
                        - (phi[0] - phi[2]).square().sum()
                        + settings.margin
                    )
                    probability = torch.softmax(phi @ detector.weight + detector.bias, dim=1)
                    eq6 = torch.log(1 + torch.abs(0.9 - probability[:, detector.target_class]))
                    hinged = torch.relu(eq5) if settings.hinge else eq5
                    loss = loss + hinged + settings.adversarial_weight * eq6.sum()
                optimiser.zero_grad()
                (loss / len(batch)).backward()
                optimiser.step()
                step += 1
        inputs = (inputs @ W).detach()
        frozen = frozen @ W.detach().numpy()
    return frozen


@pytest.mark.parametrize("d", [5, 9], ids=["by metric", "by output"])
@pytest.mark.parametrize("hinge", [True, False])
def test_training_is_the_papers_loop(d, hinge):
    settings = changed(hinge=hinge)
    X, subjects, attributes = faces(d=d)
    triplets = triplets_of(X, subjects, settings)
    records = []
    fast = train(
        X,
        lambda _: TripletTask(triplets, margin=0.2, hinge=hinge),
        adversaries(X, attributes),
        settings,
        seed=3,
        device=CPU,
        report=records.append,
    )
    naive = paper_loop(X, triplets, adversaries(X, attributes), settings, seed=3)
    np.testing.assert_allclose(fast, naive, atol=2e-3)
    assert [(r.layer, r.epoch) for r in records] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert set(records[-1].detectors) == {"gender", "group"}


@pytest.mark.parametrize("d", [5, 11], ids=["by metric", "by output"])
def test_phi_products_are_those_of_normalised_outputs(d):
    X, _, _ = faces(d=d)
    generator = torch.Generator().manual_seed(0)
    phi = Phi(X, 12, CPU)
    for _ in range(3):
        phi.add_layer("glorot", generator)
    outputs = torch.nn.functional.normalize(torch.from_numpy(X @ phi.folded()), dim=1)
    rows, left, right = np.arange(10, 30), torch.tensor([0, 3]), torch.tensor([7, 9])
    directions = torch.randn(12, 2, generator=generator)
    cosines, products = phi.products(rows, left, right, directions)
    chosen = outputs[10:30]
    torch.testing.assert_close(cosines, (chosen[left] * chosen[right]).sum(1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(products, chosen @ directions, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(5, 12), (12, 5)])
def test_the_compact_form_keeps_lengths_and_angles(shape):
    rng = np.random.default_rng(0)
    folded = rng.standard_normal(shape).astype(np.float32)
    X = rng.standard_normal((20, shape[0])).astype(np.float32)
    root, basis = compact(folded)
    np.testing.assert_allclose(root @ basis.T, folded, atol=1e-5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(min(shape)), atol=1e-5)
    phi = X @ folded
    phi /= np.linalg.norm(phi, axis=1, keepdims=True)
    np.testing.assert_allclose(unit_rows(X, root) @ basis.T, phi, atol=1e-5)


def test_an_orthogonal_layer_starts_where_the_last_one_stopped():
    X, _, _ = faces()
    generator = torch.Generator().manual_seed(0)
    phi = Phi(X, 12, CPU)
    phi.add_layer("orthogonal", generator)
    first = phi.folded()
    phi.add_layer("orthogonal", generator)
    np.testing.assert_allclose(phi.folded() @ phi.folded().T, first @ first.T, atol=1e-5)


def test_a_batch_holds_each_row_once_and_counts_its_uses():
    X, subjects, _ = faces()
    task = TripletTask(triplets_of(X, subjects, changed()), margin=0.2, hinge=True)
    [batch] = task.batches(1000, np.random.default_rng(0))
    assert len(np.unique(batch.rows)) == len(batch.rows)
    assert float(batch.weights.sum()) == pytest.approx(3)
    assert len(batch.left) == len(batch.right) == 200


@pytest.mark.parametrize(("n_outputs", "classes"), [(1, 2), (3, 3)])
def test_classification_losses_match_torch_on_labelled_rows(n_outputs, classes):
    codes = np.array([0, 1, -1, 1, 0, classes - 1, 1, 0])
    task = ClassificationTask(codes, n_outputs, 4, CPU)
    [batch] = task.batches(100, np.random.default_rng(0))
    assert sorted(batch.rows) == [0, 1, 3, 4, 5, 6, 7]
    logits = torch.randn(7, n_outputs, generator=torch.Generator().manual_seed(0))
    truth = torch.from_numpy(codes[batch.rows])
    if n_outputs == 1:
        probability = torch.sigmoid(logits[:, 0])
        likelihood = torch.where(truth == 1, probability, 1 - probability)
    else:
        likelihood = torch.softmax(logits, dim=1)[torch.arange(7), truth]
    expected = -likelihood.log().mean()
    torch.testing.assert_close(task.loss(batch, torch.empty(0), logits), expected)


def test_each_layer_is_given_the_output_of_the_layers_before_it():
    X, subjects, attributes = faces()
    triplets = triplets_of(X, subjects, changed())
    given = []

    def make_task(output):
        given.append(output)
        return TripletTask(triplets, margin=0.2, hinge=True)

    settings = changed(n_layers=1)
    for layers in (settings, changed(n_layers=2)):
        given.clear()
        opponents = adversaries(X, attributes)
        folded = train(X, make_task, opponents, layers, seed=3, device=CPU, report=lambda _: None)
        if layers.n_layers == 1:
            first = X @ folded
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_array_equal(given[0], X)
    np.testing.assert_allclose(given[1] @ given[1].T, first @ first.T, atol=1e-4)


@pytest.mark.parametrize("remine", [True, False])
def test_triplets_are_mined_again_on_each_output_or_once(remine):
    X, subjects, _ = faces()
    stretched = X * np.array([3, 1, 1, 1, 0.2], dtype=np.float32)
    stretched /= np.linalg.norm(stretched, axis=1, keepdims=True)
    miner = TripletMiner(
        subjects,
        margin=0.2,
        hinge=True,
        n_triplets=10**6,
        remine=remine,
        memory_limit=2**30,
        rng=np.random.default_rng(0),
    )
    miner(X)
    miner(stretched)
    expected = [triplets_of(Z, subjects, changed(n_triplets=10**6)) for Z in (X, stretched)]
    assert expected[0].n_found != expected[1].n_found
    found = [triplets.n_found for triplets in miner.mined]
    assert found == [triplets.n_found for triplets in expected][: 2 if remine else 1]


@pytest.mark.parametrize("shape", [(5, 12), (12, 5)])
def test_the_compact_form_does_not_see_a_rotation_of_phi(shape):
    """So that a detector can start from its last solution."""
    rng = np.random.default_rng(0)
    folded = rng.standard_normal(shape).astype(np.float32)
    for _ in range(5):
        turn = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0].astype(np.float32)
        np.testing.assert_allclose(compact(folded @ turn)[0], compact(folded)[0], atol=1e-4)
