"""Fast checks of what is yours: params.yaml fits its model, the model takes what the data gives."""

from pathlib import Path

import numpy as np
from reproof import params, splits

from config import Config

ROOT = Path(__file__).parents[1]


def test_params_fit_their_model():
    assert params.load(ROOT / "params.yaml", Config).model.summary


def test_model_answers_one_row_of_logits_an_example():
    import torch

    from data import preprocess
    from model import build

    for example in (np.zeros((2, 1, 8, 8), np.uint8), np.zeros((2, 5), np.float32)):
        model = build(list(example.shape[1:]), classes=3, channels=4, dropout=0.0)
        assert model(torch.from_numpy(preprocess(example))).shape == (2, 3)


def test_postprocess_gives_probabilities():
    from data import postprocess

    probabilities = postprocess(np.array([[1000.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(probabilities, [[1.0, 0.0], [0.5, 0.5]])


def test_digits_split_without_overlap(monkeypatch):
    import data

    monkeypatch.setattr(data, "RAW", ROOT / "nowhere")
    everything, classes = data.load()
    parts = splits.stratified(everything, {"train": 0.7, "validation": 0.15, "test": 0.15}, seed=0)
    ids = [set(part.ids) for part in parts.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) == len(everything.y)
    assert all(set(part.y) == set(range(len(classes))) for part in parts.values())
