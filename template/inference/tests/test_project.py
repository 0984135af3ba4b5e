"""Fast checks of what is yours: params.yaml fits its model, contract.yaml too, the steps fit each other."""

from pathlib import Path

import numpy as np
from reproof import contract, params

from config import Config

ROOT = Path(__file__).parents[1]


def test_params_fit_their_model():
    assert params.load(ROOT / "params.yaml", Config).model.summary


def test_the_contract_can_be_read_and_its_files_are_there():
    said = contract.load(ROOT / contract.FILE)
    names = [said.input.tokenizer, said.output.labels]
    assert [name for name in names if isinstance(name, str) and not (ROOT / name).is_file()] == []


def test_the_steps_take_a_batch_and_give_an_answer_an_example(monkeypatch):
    import steps

    monkeypatch.setattr(steps, "contract_and_ports", lambda: (contract.Contract(), None, None))
    batch = steps.preprocess([np.zeros(4, np.float32), np.ones(4, np.float32)])
    assert batch.shape == (2, 4)
    assert len(steps.postprocess(batch)) == 2
