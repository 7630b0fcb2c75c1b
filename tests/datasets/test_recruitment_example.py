import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs/examples/recruitment.py"


def test_a_recruiter_finds_gender_in_a_face_and_not_in_an_agnostic_one(capsys):
    found = runpy.run_path(str(EXAMPLE))["found"]
    assert "women among the best 100" in capsys.readouterr().out
    assert found["face"].divergence > 2 * found["face"].by_chance
    assert found["face"].top["Female"] < 0.4
    for name in ("no face", "agnostic"):
        assert found[name].divergence < 1.2 * found[name].by_chance
        assert 0.4 < found[name].top["Female"] < 0.6
