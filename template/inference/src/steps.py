"""Before and after the model. As shipped, contract.yaml says it all; write your own where it cannot.

The stages infer and benchmark both use these two, so that what is timed is what gives the answers.
"""

from functools import cache
from pathlib import Path

import numpy as np
from reproof import contract

ROOT = Path(__file__).parents[1]
EXAMINATION = ROOT / "results" / "latest" / "examination.json"


def preprocess(examples: list[np.ndarray] | dict[str, np.ndarray]) -> np.ndarray | dict[str, np.ndarray]:
    """Decoded examples into what the model takes: for pictures size, colour, values and order of axes."""
    said, inputs, _ = contract_and_ports()
    return contract.preprocess(said, examples, inputs, root=ROOT)


def postprocess(outputs):
    """The model's arrays into an answer an example: classes, boxes, or what the arrays are like."""
    said, _, names = contract_and_ports()
    return contract.postprocess(said, outputs, names, root=ROOT)


@cache
def contract_and_ports():
    """contract.yaml, and the model's inputs and outputs as the stage examine found them."""
    return contract.load(ROOT / contract.FILE), *contract.recorded_ports(EXAMINATION)
