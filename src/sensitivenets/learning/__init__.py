"""The paper's learning core: triplets (Eq. 3), losses (Eq. 5, 6), detectors, training (Fig. 2)."""
