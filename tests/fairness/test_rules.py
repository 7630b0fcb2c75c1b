"""Discriminatory rules: lifts counted by hand, and bounds that hold for all contexts at once."""

import numpy as np
import pytest
from scipy.stats.contingency import relative_risk

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.fairness import discriminatory_rules


def rows_of(*cells):
    """Repeat (city, group, decision) so many times."""
    rows = [row for *row, n in cells for _ in range(n)]
    columns = zip(*rows, strict=True)
    return [encode(*pair) for pair in zip(("city", "group", "loan"), columns, strict=True)]


# In city A 30 of 40 women and 20 of 60 men are refused, in city B half of everybody.
CITY, GROUP, LOAN = rows_of(
    *(("A", "f", "no", 30), ("A", "f", "yes", 10), ("A", "m", "no", 20), ("A", "m", "yes", 40)),
    *(("B", "f", "no", 20), ("B", "f", "yes", 20), ("B", "m", "no", 30), ("B", "m", "yes", 30)),
)


def test_lifts_by_hand():
    search = discriminatory_rules(LOAN, "no", GROUP, "f", {"city": CITY})
    assert (search.group, search.decision) == ("group = f", "loan = no")
    rules = {rule.context: rule for rule in search.rules}
    assert set(rules) == {(), ("city = A",), ("city = B",)}
    a = rules["city = A",]
    assert (a.n_group, a.n_context, a.confidence, a.base_confidence) == (40, 100, 0.75, 0.5)
    assert a.extended_lift == pytest.approx(1.5)
    assert a.selection_lift == pytest.approx(0.75 / (1 / 3))
    assert rules["city = B",].extended_lift == pytest.approx(1)
    assert rules[()].extended_lift == pytest.approx((50 / 80) / (100 / 200))
    assert [rule.context for rule in search.certain()] == [("city = A",), ()]
    assert search.rules[0] is a
    assert search.certain(alpha=1.4) == ()


def test_bounds_are_those_of_the_quotient_of_two_proportions():
    search = discriminatory_rules(LOAN, "no", GROUP, "f", {"city": CITY})
    rule = search.rules[0]
    katz = relative_risk(30, 40, 20, 60).confidence_interval(1 - 0.05 / 3)  # three contexts
    share = 40 / 100
    for bound, s in ((rule.low, katz.low), (rule.high, katz.high)):
        assert bound == pytest.approx(s / (share * s + 1 - share))
    assert rule.low < rule.extended_lift < rule.high


def test_bounds_hold_for_all_contexts_at_once_where_nobody_discriminates():
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        loan, group = (encode(n, rng.integers(0, 2, 800)) for n in ("loan", "group"))
        columns = {f"c{k}": encode(f"c{k}", rng.integers(0, 2, 800)) for k in range(3)}
        search = discriminatory_rules(loan, "0", group, "1", columns, max_items=2)
        assert len(search.rules) == 1 + 6 + 12
        wrong += any(rule.low > 1 for rule in search.rules)
    assert wrong <= 7  # at most 2.5 are expected: one side of 95 %


def test_a_context_of_few_rows_or_without_a_refusal_is_left_out():
    city, group, loan = rows_of(
        *(("A", "f", "no", 40), ("A", "m", "yes", 40), ("B", "f", "no", 5), ("B", "m", "no", 50)),
        *(("C", "f", "yes", 40), ("C", "m", "yes", 40)),
    )
    search = discriminatory_rules(loan, "no", group, "f", {"city": city})
    contexts = {rule.context: rule for rule in search.rules}
    assert set(contexts) == {(), ("city = A",)}
    assert contexts["city = A",].selection_lift is None
    assert 1 < contexts["city = A",].low < contexts["city = A",].high <= 2


def test_refusals():
    with pytest.raises(InputError, match=r"column 'loan': no class 'maybe'; its classes are 'no'"):
        discriminatory_rules(LOAN, "maybe", GROUP, "f", {})
    with pytest.raises(InputError, match=r"column 'city': expected 200 rows, .* found 3"):
        discriminatory_rules(LOAN, "no", GROUP, "f", {"city": CITY.take(np.arange(3))})
    with pytest.raises(InputError, match=r"expected a context with 900 rows of 'f' .*found none"):
        discriminatory_rules(LOAN, "no", GROUP, "f", {}, min_rows=900)
    with pytest.raises(InputError, match=r"confidence: expected a share of at least 0.5"):
        discriminatory_rules(LOAN, "no", GROUP, "f", {}, confidence=1.0)
