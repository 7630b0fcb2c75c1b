"""The report in docs/example-report: the paper's method, the whole audit, the map public.

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/example_report.py --work somewhere

Types the commands that a person would, in the folder of --work: phi is learned from CelebA and
FairFace `fit`; other rows of FairFace are attacked; recognition is measured on LFW view 2, equality
of opportunity on CelebA. Its folder `report` goes to docs/example-report.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
from pathlib import Path

from sensitivenets.cli import main as sensitivenets

VERIFY = "--pairs data/lfw_pairs.parquet --protocol view2 --identity subject --group gender --json"
FAIRNESS = "data/celeba.parquet celeba.parquet --attribute gender --identity subject --json"
COMMANDS = """
fit data/celeba.parquet --identity subject --detector data/fairface.parquet \
    --detector-where split=fit --remove gender --remove ethnicity --out model
transform model data/fairface.parquet --out fairface.parquet
transform model data/lfw.parquet --keep gender --out lfw.parquet
transform model data/celeba.parquet --out celeba.parquet
audit data/fairface.parquet fairface.parquet --attribute gender --attribute ethnicity \
    --train split=attack_train --test split=attack_test --model model --subgroup race \
    --verification-before lfw_before.json --verification-after lfw_after.json \
    --fairness celeba_attractive.json --fairness celeba_smiling.json \
    --save-pictures --overwrite --out report
"""
# What is measured apart, and the file that it is kept in.
MEASURED = {
    "lfw_before.json": f"verify data/lfw.parquet {VERIFY}",
    "lfw_after.json": f"verify lfw.parquet {VERIFY}",
    "celeba_attractive.json": f"fairness {FAIRNESS} --target attractive",
    "celeba_smiling.json": f"fairness {FAIRNESS} --target smiling",
}


def typed(line: str) -> str:
    """Run a command; return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = sensitivenets(shlex.split(line))
    if code:
        raise SystemExit(f"{line}: exit code {code}")
    return printed.getvalue()


def main() -> None:
    """Make the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    data = Path(os.environ["SENSITIVENETS_DATA"]).resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    os.chdir(options.work)
    if not Path("data").exists():
        Path("data").symlink_to(data)
    *makes, audit = COMMANDS.strip().splitlines()
    for line in makes:
        typed(line)
    for name, line in MEASURED.items():
        Path(name).write_text(typed(line), encoding="utf-8")
    print(typed(audit))


if __name__ == "__main__":
    main()
