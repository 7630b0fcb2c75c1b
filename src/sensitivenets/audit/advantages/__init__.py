"""What an adversary may have on top of labelled embeddings: a file for each advantage.

`free_labels` pushes faces without labels through a public map; `exact_inverse` undoes a routed map
branch by branch; `outsiders` knows people of another table; `translation` has raw embeddings and
no map. Each makes `Advantage` records, and `gather` all that the material at hand allows.
"""
