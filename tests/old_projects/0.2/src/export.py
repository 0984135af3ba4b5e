"""The best checkpoint as ONNX, checked against torch on real inputs."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import onnx_export, splits
from reproof.errors import ReproofError
from reproof.stage import Stage, run_stage

from config import Config

EXAMPLES = 256


def main(stage: Stage[Config]) -> None:
    import torch

    from data import preprocess
    from model import load

    params = stage.params.export
    model = load(stage.input("results/latest/checkpoint"))
    inputs = preprocess(splits.load(stage.input("prepared/validation.npz")).x[:EXAMPLES])

    path = stage.output("results/latest/model.onnx")
    onnx_export.export(model, torch.from_numpy(inputs[:2]), path, opset=params.opset)
    parity = onnx_export.parity(model, path, [inputs], stage.params.threads)
    stage.metric("parity_max_abs_diff", parity.max_abs_diff)
    stage.metric("parity_mean_abs_diff", parity.mean_abs_diff)
    stage.fact("parity", {"examples": parity.examples, "max_abs_output": parity.max_abs_output})
    stage.metric("size_bytes", path.stat().st_size)
    if parity.max_abs_diff > params.tolerance:
        raise ReproofError(
            "the exported model answers otherwise than torch",
            where="export.tolerance",
            expected=f"a largest difference of at most {params.tolerance:g}",
            found=f"{parity.max_abs_diff:g}, where answers reach {parity.max_abs_output:.3g}",
            hint="raise the tolerance, if the difference is small beside the answers",
        )
    print(f"ONNX and torch differ by at most {parity.max_abs_diff:.2g} on {parity.examples} real inputs")


if __name__ == "__main__":
    run_stage("export", main, Config, torch=True)
