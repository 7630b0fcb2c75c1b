"""Drawn faces as a folder of photographs with labels, to try what the README does with them.

python docs/examples/drawn_photographs.py photos/ labels.csv
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
    lines.writerow(["image", "beard"])
    for k, pixels in enumerate(drawn.pixels):
        subject = drawn.subjects.classes[drawn.subjects.codes[k]]
        name = f"{subject}/{k:04d}.png"
        (folder / subject).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
        lines.writerow([name, drawn.beards.classes[drawn.beards.codes[k]]])
