"""PFRNet: an autoencoder that sorts what says the attributes from what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    import torch

# Hidden layers of the encoder of what says the attributes, as wide as in the original.
_DEPENDENT_WIDTHS = (256, 128, 64)


@parameterised
class PFRNet(TrainedEraser):
    """Split embeddings into features with and without the attributes, and keep the latter.

    Bortolato et al., "Learning privacy-enhancing face representations through feature
    disentanglement", FG 2020. Two encoders and a decoder that
    rebuilds the embedding from both outputs. The output of one, which is kept, is to have equal
    moments in all classes; that of the other, which is thrown away, different ones::

        |x - dec(ind, dep)|^2 + moment_weight * gap(ind) + separation_weight * exp(-gap(dep))

    Only moments of single features are compared. An attacker who looks at features together, or
    who compares templates, still reads the attribute.

    Differs from the original: the encoder that is kept has one hidden layer and starts from the
    embeddings as they are; its rows have unit length, since features of no fixed scale meet the
    condition by shrinking, or by growing a direction that all share; moments above the first are
    central; classes are compared in all pairs. Several attributes, and their crossing, share one
    loss. `y` is not used. The rebuilt embedding, which holds
    the attributes, is not given out.

    Parameters
    ----------
    n_dependent : int, default=16
        Features that are thrown away.
    n_units : int, optional
        Features that are kept; the input's less `n_dependent` (at least one) unless given.
    n_hidden : int, default=512
        ReLU units of encoder and decoder; with twice the input's features or more, training starts
        from the embeddings as they are.
    n_moments : int, default=2
        Moments to compare, from the first on.
    moment_weight : float, default=10.0
        Weight of the mean squared gap of the moments of kept features, of mean square one, summed
        over moments. The reconstruction is relative to the variance of the embeddings.
    separation_weight : float, default=0.01
        Weight of the mean of exp(-gap^2) of the features that are thrown away.
    n_epochs : int, default=30
        Passes over the rows; 100 in the original.
    batch_size : int, default=512
        Rows a step; 100 in the original. Moments of few rows are mostly noise.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``loss``, ``reconstruction``,
        ``gap`` of the kept features and ``separation``, each before its weight.
    """

    n_dependent: int = 16
    n_units: int | None = None
    n_moments: int = 2
    moment_weight: float = 10.0
    separation_weight: float = 0.01
    batch_size: int = 512

    def _check(self) -> None:
        super()._check()
        for name in ("n_dependent", "n_moments"):
            require_int(name, getattr(self, name), minimum=1)
        if self.n_units is not None:
            require_int("n_units", self.n_units, minimum=1)
        for name in ("moment_weight", "separation_weight"):
            require_real(name, getattr(self, name), minimum=0.0)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        import torch

        from sensitivenets.erasers.dependence.measures import moment_gaps
        from sensitivenets.erasers.neural.networks import Encoder, perceptron
        from sensitivenets.erasers.neural.training import minimise

        rows = training_rows(data, device)
        generator = torch.Generator().manual_seed(data.seed)
        n_features = rows.X.shape[1]
        n_units = self.n_units or max(1, n_features - self.n_dependent)
        variance = float(rows.X.var(axis=0, dtype=np.float64).mean()) or 1.0
        scale = variance**-0.5
        keep = Encoder(
            n_features,
            self.n_hidden,
            n_units,
            scale=scale,
            normalise=True,
            generator=generator,
        ).to(device)
        drop = perceptron((n_features, *_DEPENDENT_WIDTHS, self.n_dependent), generator).to(device)
        rebuild = perceptron((n_units + self.n_dependent, self.n_hidden, n_features), generator)
        rebuild = rebuild.to(device)
        X = torch.from_numpy(rows.X).to(device)

        def terms(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            inputs = X[batch]
            groups = [group.take(batch) for group in rows.hidden]
            kept, dropped = keep(inputs) * n_units**0.5, drop(inputs * scale)
            error = (rebuild(torch.cat([kept, dropped], dim=1)) - inputs * scale).square().mean()
            gaps = moment_gaps(kept, groups, self.n_moments).square()
            gap = gaps.mean((0, 2)).sum() if len(gaps) else error.new_zeros(())
            apart = (-moment_gaps(dropped, groups, self.n_moments).square()).exp()
            separation = apart.mean((0, 2)).sum() if len(apart) else error.new_zeros(())
            loss = error + self.moment_weight * gap + self.separation_weight * separation
            return {"loss": loss, "reconstruction": error, "gap": gap, "separation": separation}

        curve = minimise(
            [p for network in (keep, drop, rebuild) for p in network.parameters()],
            terms,
            len(X),
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            generator=generator,
            device=device,
        )
        return Learned(keep.freeze(), curve)
