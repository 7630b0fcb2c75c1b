"""Who tries to read an attribute: the attackers, a file for each family.

To add one, write a function that returns an `Attacker` into the file of its family, and the
estimator beside it if scikit-learn has none. Then add a line to `catalogue.py`: to
`class_attackers` or to `number_attackers`. Tuning on held-out identities, failures, intervals, the
noise bound, the voting ensemble and the report follow from that; nothing else knows an attacker by
name. For example, all there is to the nearest class mean::

    from sklearn.neighbors import NearestCentroid

    from sensitivenets.audit.attack import Attacker


    def nearest_mean() -> Attacker:
        candidates = tuple(
            ({"shrink": s}, NearestCentroid(shrink_threshold=s)) for s in (None, 0.5)
        )
        return Attacker("nearest mean", candidates)

`preparations` leaves out what changes nothing for the attacker; `sees_coordinates` is for those
that look at single features; `corrects_prior` for those whose scores follow the class shares.
"""
