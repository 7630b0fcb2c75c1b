import pytest

from sensitivenets.tradeoff import rehearsal
from sensitivenets.tradeoff.candidates import Candidate


@pytest.fixture
def two_candidates(monkeypatch):
    """Let `protect` choose between two candidates: what they are is tested where they are made."""
    two = (Candidate(), Candidate(means_only=True))
    monkeypatch.setattr(rehearsal, "candidates_for", lambda *_: two)
    monkeypatch.setattr(rehearsal, "with_codes", lambda _: ())
