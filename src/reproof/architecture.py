"""A torch model as people describe it: its layers, what they give, how many parameters they hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_MAX_LAYERS = 100


def facts(model: torch.nn.Module, example: torch.Tensor) -> dict[str, Any]:
    """Return the layers of a model in the order in which they are called, as plain JSON data.

    The model runs once, in evaluation mode and without gradients; its mode is put back.

    Args:
        model: takes one tensor.
        example: an input, shape (batch, …), on the model's device.

    Returns:
        `type`, `parameters` and `trainable_parameters` (numbers), `input_shape` and `output_shape` (without
        the batch), `kinds` (how often each kind of layer occurs), `activations`, `dropout` (rates, by layer)
        and `layers`: by their order `name`, `kind`, `configuration`, `parameters`, `output_shape`; at most
        100 of them, and `layers_left_out` counts the rest.
    """
    import torch

    leaves = {name: module for name, module in model.named_modules() if not list(module.children())}
    called: dict[str, list[int] | None] = {}

    def note(name: str) -> Any:
        def hook(_: Any, __: Any, output: Any) -> None:
            called.setdefault(name, list(output.shape[1:]) if isinstance(output, torch.Tensor) else None)

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in leaves.items()]
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            output = model(example)
    finally:
        for handle in hooks:
            handle.remove()
        model.train(training)
    order = [*called, *(name for name in leaves if name not in called)]
    rows = {
        str(index): {
            "name": name or type(model).__name__,
            "kind": type(leaves[name]).__name__,
            "configuration": leaves[name].extra_repr(),
            "parameters": sum(p.numel() for p in leaves[name].parameters()),
            "output_shape": _shape(called.get(name)),
        }
        for index, name in enumerate(order[:_MAX_LAYERS])
    }
    kinds = Counter(type(leaves[name]).__name__ for name in order)
    activations = [k for k in kinds if getattr(torch.nn, k, None) and _is_activation(k)]
    return {
        "type": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "input_shape": _shape(list(example.shape[1:])),
        "output_shape": _shape(list(output.shape[1:]) if isinstance(output, torch.Tensor) else None),
        "kinds": dict(kinds),
        "activations": ", ".join(activations) or None,
        "dropout": {n: float(m.p) for n, m in leaves.items() if type(m).__name__.startswith("Dropout")},
        "layers": rows,
        "layers_left_out": max(0, len(order) - _MAX_LAYERS),
    }


def _shape(shape: list[int] | None) -> str | None:
    return None if shape is None else "×".join(map(str, shape)) or "scalar"


def _is_activation(kind: str) -> bool:
    import torch

    return bool(getattr(torch.nn, kind).__module__ == "torch.nn.modules.activation")
