"""What a fit costs is said before it begins."""

import pytest

from sensitivenets.erasers.transport import cost
from sensitivenets.erasers.transport.cost import FitSize


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """A machine of known speed."""
    monkeypatch.setattr(cost, "_speeds", lambda: (1e10, 1e11))


@pytest.mark.parametrize(
    ("more", "less"),
    [
        (FitSize(20_000, 1024, 6, 3), FitSize(20_000, 512, 6, 3)),
        (FitSize(20_000, 512, 12, 3), FitSize(20_000, 512, 6, 3)),
        (FitSize(20_000, 512, 6, 3), FitSize(20_000, 512, 6, 1)),
        (FitSize(20_000, 512, 6, 3), FitSize(20_000, 512, 6, 3, rank=64)),
        # Fewer rows than features span no more than themselves.
        (FitSize(2_000, 1024, 6, 3), FitSize(200, 1024, 6, 3)),
    ],
)
def test_more_costs_more(more, less):
    assert more.seconds() > 1.3 * less.seconds()


def test_eight_times_the_work_for_twice_the_features_of_a_small_table():
    ratio = FitSize(4_000, 4096, 2, 1).seconds() / FitSize(4_000, 2048, 2, 1).seconds()
    assert 6 < ratio < 8


def test_what_costs_less_is_advised_where_it_can_be():
    size = FitSize(20_000, 2048, 6, 3)
    said, advice = size.lines(10)
    assert "minutes of processor time" in said
    assert "6 groups, 20000 rows of 2048 features" in said
    assert advice.startswith("rank=64 takes about")
    assert len(size.lines(10, advise_rank=False)) == 1
    assert len(FitSize(20_000_000, 2048, 6, 3, rank=64).lines(10)) == 1
    assert FitSize(60, 512, 3, 3).lines(10) == []
