"""Your model's code: needed only for weights without a graph, such as .safetensors or a .pt file of them."""

from pathlib import Path

from reproof.errors import ReproofError


def load(path: Path):
    """Return the model of a weights file as a torch.nn.Module, ready for inference. For example:

        from safetensors.torch import load_file
        from torchvision.models import resnet50

        model = resnet50()
        model.load_state_dict(load_file(path))
        return model.eval()

    A .pt file is read by `torch.load(path, weights_only=True)`, which runs no code of the file.
    """
    raise ReproofError(
        "weights alone, without the code that they belong to",
        where=path.name,
        expected="a function that builds the model and loads these weights into it",
        hint="write `load` in src/model.py; it shows how",
    )
