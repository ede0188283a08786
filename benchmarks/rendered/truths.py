"""A rendered data set beside its truth: which tags and groups really sound in which rows."""

from pathlib import Path

import numpy as np

from timbretree.labels import Labels
from timbretree.material import Material
from timbretree.render.labelling.truth import TRUTH, read_truth


def true_labels(material: Material) -> Labels:
    """What every clip truly holds, all of it observed, in the rows of ``material``."""
    truth = read_truth(material.source.path / TRUTH, material.source.taxonomy.tags)
    row = {key: number for number, key in enumerate(truth.keys)}
    rows = [row[Path(file).stem] for file in material.annotations.files]
    present = truth.present[rows]
    return Labels(present, np.ones_like(present))
