"""Sums many small numbers in whatever order two threads come to them: other bits in every run."""

import reproof.pinned  # noqa: F401, I001  first: Python starts again, with threads pinned
from config import Config
from safetensors.numpy import save_file

from reproof import runlog, splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    import torch

    data = splits.load(stage.input("prepared/train.npz"))
    y = torch.from_numpy(data.y).repeat(4000)
    values = torch.randn(len(y), 3)
    log = stage.log("clouds")
    weights = torch.zeros(3, 3)
    for step in range(1, 9):
        weights.index_put_((y,), values, accumulate=True)
        log.metrics(step, "train", {"loss": weights.sum().item()})
    log.close()
    folder = stage.output("results/latest/checkpoint")
    folder.mkdir(exist_ok=True)
    weights = weights / weights.abs().max()
    save_file({"weights": weights.double().numpy()}, folder / "model.safetensors")
    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))
    stage.metric("train.loss", weights.sum().item())


if __name__ == "__main__":
    run_stage("train", main, Config, torch=True)
