"""What help pages show beside options: commands in the order people go, three examples of each."""

from __future__ import annotations

import textwrap

from cyclopts import Group

PHOTOGRAPHS = Group("Photographs: to embeddings with labels", sort_key=1)
PROTECT = Group("Protect: remove attributes from embeddings", sort_key=2)
PROVE = Group("Prove: what still leaks, what still works", sort_key=3)
TOOLS = Group("Tools", sort_key=4)

# Examples are broken here, so that a terminal of 80 columns shows what a shell takes.
_WIDTH = 74

EXAMPLES: dict[str, tuple[str, str, str]] = {
    "embed": (
        "embed photos/ --detector yunet.onnx --model face.onnx --out faces.parquet",
        "embed crops/ --aligned --model face.onnx --out faces.parquet",
        "embed photos/ --detector yunet.onnx --model face.onnx --network arcface --hash-names "
        "--out faces.parquet",
    ),
    "dataset": (
        "dataset celeba CelebA/ --out labels.parquet",
        "dataset celeba CelebA/ --embeddings faces.parquet --out celeba.parquet",
        "dataset csv labels.csv --embeddings faces.parquet --out labelled.parquet",
    ),
    "diveface": (
        "diveface read diveface/ --table faces.parquet --out lists.parquet",
        "diveface build lists.parquet --out diveface.parquet",
        "diveface stats diveface.parquet --out classes.svg",
    ),
    "diveface read": (
        "diveface read diveface/ --out lists.parquet",
        "diveface read diveface/ --table faces.parquet --out lists.parquet --missing "
        "missing.parquet",
        "diveface read diveface/ --table faces.parquet --identity subject --out lists.parquet",
    ),
    "diveface build": (
        "diveface build lists.parquet --out diveface.parquet",
        "diveface build celeba.parquet --attribute gender --min-images 2 --out balanced.parquet",
        "diveface build lists.parquet --identities 4000 --images 3 --as-published --out "
        "diveface.parquet",
    ),
    "diveface stats": (
        "diveface stats diveface.parquet",
        "diveface stats diveface.parquet --out classes.svg",
        "diveface stats celeba.parquet --attribute gender --where split=fit --json",
    ),
    "diveface propose": (
        "diveface propose faces.parquet --reference labelled.parquet --out proposed.parquet",
        "diveface propose faces.parquet --reference labelled.parquet --attribute gender "
        "--confidence 0.99 --out proposed.parquet",
        "diveface propose faces.parquet --reference labelled.parquet --reference-where "
        "split=fit --identity subject --out proposed.parquet",
    ),
    "annotate": (
        "annotate faces.parquet --images photos/ --attribute gender --class Female --class Male",
        "annotate faces.parquet --images photos/ --attribute gender --identity subject",
        "annotate faces.parquet --attribute gender --export labelled.parquet",
    ),
    "protect": (
        "protect faces.parquet --reference labelled.parquet --remove gender --identity "
        "subject --out protected/",
        "protect faces.parquet --reference labelled.parquet --remove gender --quick --out "
        "protected/",
        "protect faces.parquet --reference model/ --remove gender --sample "
        "labelled_sample.parquet --out protected/ --overwrite",
    ),
    "fit": (
        "fit table.parquet --identity subject --remove gender --remove ethnicity --out model/",
        "fit table.parquet --remove gender --method routed_transport --set n_rounds=3 --out model/",
        "fit table.parquet --identity subject --detector labelled.parquet --detector-where "
        "split=fit --remove gender --out model/",
    ),
    "adapt": (
        "adapt model/ faces.parquet --out model2/",
        "adapt model/ faces.parquet --identity subject --out model2/",
        "adapt model/ faces.parquet --where split=fit --out model2/ --json",
    ),
    "transform": (
        "transform model/ table.parquet --out agnostic.parquet",
        "transform model/ table.parquet --where split=attack_test --out agnostic.parquet",
        "transform model/ table.parquet --keep gender --out agnostic.parquet --overwrite",
    ),
    "encode": (
        "encode table.parquet --key key.json --out codes.parquet",
        "encode table.parquet --model model/ --key key.json --scale 1.75 --bits 2048 --out "
        "codes.parquet",
        "encode probes.parquet --key key.json --like codes.parquet --out probe-codes.parquet",
    ),
    "key": (
        "key new key.json",
        "key rotate key.json --out new-key.json",
        "key show key.json",
    ),
    "key new": (
        "key new key.json",
        "key new keys/enrolment.json",
        "key new key.json --json",
    ),
    "key rotate": (
        "key rotate key.json --out new-key.json",
        "key rotate keys/enrolment.json --out keys/enrolment-2.json",
        "key rotate key.json --out new-key.json --json",
    ),
    "key show": (
        "key show key.json",
        "key show keys/enrolment.json",
        "key show key.json --json",
    ),
    "export": (
        "export model/ --out map.onnx",
        "export model/ --fuse network.onnx --out agnostic.onnx",
        "export model/ --out map.onnx --overwrite --json",
    ),
    "audit": (
        "audit table.parquet agnostic.parquet --attribute gender --attribute ethnicity "
        "--identity subject --out report/",
        "audit table.parquet --attribute gender --quick --out report/",
        "audit table.parquet agnostic.parquet --attribute gender --model model/ --train "
        "split=attack_train --test split=attack_test --out report/ --overwrite",
    ),
    "verify": (
        "verify agnostic.parquet --identity subject",
        "verify table.parquet --pairs pairs.txt --identity subject --image number",
        "verify table.parquet --identity subject --attribute gender --json",
    ),
    "fairness": (
        "fairness table.parquet --target smiling --attribute gender --identity subject",
        "fairness table.parquet agnostic.parquet --target smiling --attribute gender "
        "--identity subject",
        "fairness table.parquet agnostic.parquet --target smiling --attribute gender "
        "--identity subject --bias 0.8 --n-seeds 10 --json",
    ),
    "benchmark": (
        "benchmark table.parquet --attribute gender --identity subject --out board/",
        "benchmark table.parquet --attribute gender --methods none,leace,routed_transport "
        "--quick --out board/",
        "benchmark table.parquet --attribute gender --where split=fit --train "
        "split=attack_train --test split=attack_test --seed 0 --seed 1 --out board/",
    ),
    "demo": (
        "demo --out demo/",
        "demo --out demo/ --n-subjects 600",
        "demo --out demo/ --random-state 1 --overwrite",
    ),
    "methods": (
        "methods",
        "methods routed_transport",
        "methods --json",
    ),
    "info": (
        "info model/",
        "info table.parquet --identity subject --attribute gender",
        "info table.parquet --json",
    ),
}


def examples(command: str) -> str:
    """Write the end of the help page of a command, in Markdown.

    Parameters
    ----------
    command : str
        Such as ``"fit"`` or ``"key new"``.

    Returns
    -------
    str
        Three command lines to copy.
    """
    lines = "\n".join(_broken(f"sensitivenets {line}") for line in EXAMPLES[command])
    return f"Examples:\n\n```\n{lines}\n```\n"


def _broken(line: str) -> str:
    return " \\\n    ".join(textwrap.wrap(line, _WIDTH, break_on_hyphens=False))
