"""The fast gradient sign method: the answer after the worst small step, as far as one gradient can tell.

I. Goodfellow, J. Shlens and C. Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015
(arXiv:1412.6572). A white-box attack in one step: stronger attacks find worse inputs, so its numbers bound
the robust accuracy from above, and never prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reproof.errors import ReproofError
from reproof.robustness.corruptions import DEVIATIONS, PIXEL_RANGE, Scale
from reproof.robustness.scoring import Metric, batches, summary
from reproof.robustness.settings import STRENGTHS

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    Array = npt.NDArray[Any]

OF_PIXELS = (0.02, 0.05, 0.1)
OF_FEATURES = (0.05, 0.1, 0.2)
_STEP = "a step along the sign of the loss's gradient, white-box: on the torch model of the checkpoint"
DESCRIPTION = {
    True: f"{_STEP}, its preprocessed pixels kept in their range and not rounded",
    False: f"{_STEP} and its preprocessed features",
}


def measure(
    model: Callable[[], torch.nn.Module],
    x: Array,
    targets: Array,
    *,
    train: Array,
    preprocess: Callable[[Array], Array],
    postprocess: Callable[[Array], Array],
    metric: Metric,
    scale: Scale,
    chosen: Mapping[str, Sequence[float]],
) -> tuple[dict[str, Any] | None, str | None]:
    """Return what robustness.json holds under `adversarial`, or None and why there is nothing to hold.

    Args:
        model: returns the torch model on the CPU; called once.
        x: raw examples, shape (examples, …).
        targets: class indices, or numbers for a regressor.
        train: raw training examples: of vectors, the deviations of their preprocessed values are the unit.
        preprocess: raw examples to what the model takes.
        postprocess: what the model gives to answers.
        metric: what is made of answers and targets.
        scale: of the training split.
        chosen: `fgsm`, where other amounts than the library's are wanted.
    """
    import numpy as np

    images = x.ndim == 4
    amounts = chosen.get("fgsm", OF_PIXELS if images else OF_FEATURES)
    try:
        step, low, high = _space(preprocess, train, x, scale)
        attack = _Attack(model(), metric)
        of_each: dict[str, list[Array]] = {strength: [] for strength in ("0", *STRENGTHS)}
        flat = 0
        for part in batches(len(x)):
            inputs, truth = preprocess(x[part]), targets[part]
            sign = attack.sign(inputs, truth)
            flat += int((sign.reshape(len(sign), -1) == 0).all(axis=1).sum())
            for strength, amount in zip(of_each, (0.0, *amounts), strict=True):
                moved = (inputs + amount * step * sign).clip(low, high) if amount else inputs
                answers = postprocess(attack.answers(moved.astype(inputs.dtype)))
                of_each[strength].append(metric.of_each(answers, truth))
    except (ReproofError, ImportError) as error:
        return None, (error.what if isinstance(error, ReproofError) else str(error))
    if flat == len(x):
        return None, "the gradient of the loss is 0 at every example"
    clean, *attacked = (summary(metric, np.concatenate(values)) for values in of_each.values())
    unit = PIXEL_RANGE if images else DEVIATIONS.replace("feature", "preprocessed feature")
    return {
        "method": "FGSM",
        "description": DESCRIPTION[images],
        "clean": clean["value"],
        "examples_without_gradient": flat,
        "strengths": {
            strength: {"amount": amount, "unit": unit, **result, "change": result["value"] - clean["value"]}
            for strength, amount, result in zip(STRENGTHS, amounts, attacked, strict=True)
        },
    }, None


class _Attack:
    """The torch model, and what grows where its loss grows."""

    def __init__(self, model: torch.nn.Module, metric: Metric) -> None:
        self.model = model.eval().requires_grad_(False)
        self.loss = _lead_of_others if metric.name == "accuracy" else _squared_error

    def answers(self, inputs: Array) -> Array:
        import torch

        with torch.inference_mode():
            answers: Array = self.model(torch.from_numpy(inputs)).numpy()
        return answers

    def sign(self, inputs: Array, targets: Array) -> Array:
        """Return the sign of the loss's gradient, of the shape of `inputs`.

        Raises:
            ReproofError: when there is no such gradient.
        """
        import torch

        if inputs.dtype.kind != "f":
            raise ReproofError(f"no gradient: the model takes {inputs.dtype}, not numbers with a fraction")
        given = torch.from_numpy(inputs).clone().requires_grad_()
        try:
            # Summed: the gradient at one example is then the same beside any others.
            loss = self.loss(self.model(given), torch.from_numpy(targets)).sum()
            (gradient,) = torch.autograd.grad(loss, given)
        except RuntimeError as error:
            raise ReproofError(f"no gradient: {str(error).splitlines()[0][:200]}") from error
        if not torch.isfinite(gradient).all():
            raise ReproofError("no gradient: it is not finite everywhere")
        sign: Array = gradient.sign().numpy()
        return sign


def _lead_of_others(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy is log(1 + exp(m)) of this m: their gradients differ by a factor over 0 alone.

    That factor is the probability of the other classes, which rounds to 0 where a model is sure of itself:
    then the cross-entropy has no sign left, and the model would seem robust.
    """
    import torch

    own = torch.nn.functional.one_hot(targets, logits.shape[1]).bool()
    return logits.masked_fill(own, -torch.inf).logsumexp(dim=1) - logits[own]


def _squared_error(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (predictions.reshape(len(targets)) - targets) ** 2


def _space(
    preprocess: Callable[[Array], Array], train: Array, x: Array, scale: Scale
) -> tuple[Array, Array | float, Array | float]:
    """What one unit of the amounts is in preprocessed values, and the ends of what is valid there.

    Pixels: preprocessed black and white, value by value, since each channel may be scaled by its own.
    """
    import numpy as np

    if x.ndim != 4:
        return preprocess(train).std(axis=0, dtype=np.float64), -np.inf, np.inf
    black, white = (
        preprocess(np.full_like(x[:1], end)).astype(np.float64) for end in (scale.low, scale.high)
    )
    low, high = np.minimum(black, white), np.maximum(black, white)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise ReproofError(
            "the preprocessing leaves no difference between black and white: no unit for a step"
        )
    return high - low, low, high
