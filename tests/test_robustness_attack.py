"""FGSM where algebra says what it does, and where there is no gradient."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from robust_subjects import OF_IMAGES, OF_VECTORS, by_brighter_half, by_first_feature, linear, vectors

from reproof import robustness
from reproof.robustness import RMSE, Settings, Subject
from reproof.splits import Split


def test_the_attack_on_a_linear_classifier_is_what_algebra_says() -> None:
    """Of two classes with weights ±w, a step of amounts e moves the margin by 2e·sum(|w|·deviation)."""
    weights = np.array([1.0, -0.5, 0.0, 0.25, 0.1])
    model = linear([(-weights).tolist(), weights.tolist()], [0.0, 0.0])
    train, test = vectors(300, 0), vectors(150, 1)
    margin = 2 * (test.x @ weights)
    test = dataclasses.replace(test, y=(margin > np.median(margin)).astype(np.int64))
    subject = dataclasses.replace(OF_VECTORS, train=train, test=test, torch_model=model)
    found = robustness.measure(subject, Settings(importance=False), seed=0)["adversarial"]
    reach = 2 * (np.abs(weights) * train.x.std(axis=0, dtype=float)).sum()
    signed = np.where(test.y == 1, margin, -margin)
    assert found["clean"] == (signed > 0).mean()
    for amount, strength in zip((0.05, 0.1, 0.2), found["strengths"].values(), strict=True):
        assert strength["amount"] == amount
        assert strength["value"] == pytest.approx((signed > amount * reach).mean(), abs=0.007)


def test_a_model_that_is_sure_of_itself_is_attacked_all_the_same() -> None:
    """Its cross-entropy is 0 in single precision, and has no gradient."""
    sure = linear([[-1000.0, 0, 0, 0, 0], [1000.0, 0, 0, 0, 0]], [10_000.0, -10_000.0])
    subject = dataclasses.replace(OF_VECTORS, torch_model=sure)
    found = robustness.measure(subject, Settings(importance=False), seed=0)["adversarial"]
    assert found["clean"] == 1.0
    assert found["examples_without_gradient"] == 0
    near = np.abs(subject.test.x[:, 0] - 10) < 0.2 * subject.train.x[:, 0].std()
    assert found["strengths"]["3"]["value"] == pytest.approx(1 - near.mean(), abs=0.006)


def test_the_attack_on_a_linear_regressor_is_what_algebra_says() -> None:
    weights = np.array([1.0, -2.0, 0.0, 0.5, 0.0])
    train, test = vectors(300, 0), vectors(150, 1)
    target = test.x @ weights + np.random.default_rng(0).normal(size=150)
    subject = dataclasses.replace(
        OF_VECTORS,
        metric=RMSE,
        classes=[],
        train=train,
        test=dataclasses.replace(test, y=target),
        model=lambda x: x @ weights,
        torch_model=linear([weights.tolist()], [0.0]),
    )
    result = robustness.measure(subject, Settings(), seed=0)
    error = np.abs(test.x @ weights - target)
    reach = (np.abs(weights) * train.x.std(axis=0, dtype=float)).sum()
    assert result["clean"]["value"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    for amount, strength in zip((0.05, 0.1, 0.2), result["adversarial"]["strengths"].values(), strict=True):
        assert strength["value"] == pytest.approx(np.sqrt(((error + amount * reach) ** 2).mean()), rel=1e-3)
        assert strength["change"] > 0, "a larger error is worse"
    assert next(iter(result["importance"]["values"])) == "b", "the largest weight times deviation"


def test_attacked_pixels_stay_between_black_and_white_in_the_units_of_each_channel() -> None:
    import torch

    shown = []

    class Watching(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = linear([[1.0] * 192, [-1.0] * 192], [0.0, 0.0])()

        def forward(self, x: Any) -> Any:
            shown.append(x.detach().clone())
            return self.layer(x)

    mean, deviation = (np.array(v, np.float32)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.1, 0.2, 0.4]))

    def preprocess(x: Any) -> Any:
        return (x.astype(np.float32) / 255 - mean) / deviation

    x = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8)).astype(np.uint8)
    split = Split(x, np.arange(40) % 2, np.arange(40).astype(str))
    subject = dataclasses.replace(
        OF_IMAGES, train=split, test=split, preprocess=preprocess, torch_model=Watching,
        model=lambda x: np.stack([x.mean(axis=(1, 2, 3)), 0 * x[:, 0, 0, 0]], axis=1),
    )  # fmt: skip
    result = robustness.measure(subject, Settings(importance=False), seed=0)
    assert result["adversarial"]["strengths"]["1"]["unit"] == "of the pixel range"
    clean, *attacked = (batch.numpy() * deviation + mean for batch in [shown[0], *shown[2:]])
    assert len(attacked) == 3
    for amount, pixels in zip((0.02, 0.05, 0.1), attacked, strict=True):
        assert pixels.min() > -1e-6
        assert pixels.max() < 1 + 1e-6
        inside = (clean > amount) & (clean < 1 - amount)
        np.testing.assert_allclose(np.abs(pixels - clean)[inside], amount, atol=1e-5)


def rounded() -> Any:
    import torch

    class Rounded(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.from_numpy(by_first_feature(x.detach().numpy()))

    return Rounded()


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (OF_VECTORS, "the checkpoint is missing"),
        (dataclasses.replace(OF_VECTORS, torch_model=rounded), "no gradient: element 0 of tensors does not"),
        (
            dataclasses.replace(OF_VECTORS, torch_model=linear([[0.0] * 5] * 2, [0.0, 0.0])),
            "the gradient of the loss is 0 at every example",
        ),
        (
            dataclasses.replace(OF_VECTORS, preprocess=lambda x: x.astype(np.int64), torch_model=rounded),
            "no gradient: the model takes int64",
        ),
        (
            dataclasses.replace(OF_IMAGES, preprocess=lambda x: 0.0 * x, model=by_brighter_half),
            "the preprocessing leaves no difference between black and white",
        ),
    ],
)
def test_without_a_gradient_the_attack_is_null_and_says_why(subject: Subject, reason: str) -> None:
    result = robustness.measure(subject, Settings(importance=False), seed=0)
    assert result["adversarial"] is None
    assert reason in result["adversarial_missing_reason"]
    value, why = robustness.headline(result)["fgsm.2.accuracy"]
    assert (value, why) == (None, result["adversarial_missing_reason"])
