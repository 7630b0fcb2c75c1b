"""Drawn faces as a folder of photographs with labels, to try what docs/faces.md does with them.

python docs/examples/drawn_photographs.py photos labels.csv
"""

import csv
import sys
from pathlib import Path

from PIL import Image

from sensitivenets.obfuscation.drawn_faces import drawn_faces

folder, labels = Path(sys.argv[1]), Path(sys.argv[2])
drawn = drawn_faces(n_subjects=400, images_per_subject=4, random_state=0)
with labels.open("w", newline="", encoding="utf-8") as file:
    lines = csv.writer(file)
    lines.writerow(["image", "beard", "half"])
    for k, pixels in enumerate(drawn.pixels):
        subject = drawn.subjects.classes[drawn.subjects.codes[k]]
        name = f"{subject}/{k:04d}.png"
        (folder / subject).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
        half = "known" if drawn.subjects.codes[k] < 200 else "mine"
        lines.writerow([name, drawn.beards.classes[drawn.beards.codes[k]], half])
