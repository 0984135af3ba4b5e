"""The same in torch, with state to go on from after a crash; it dies at step 30 where a file says so."""

import reproof.pinned  # noqa: F401, I001  first: Python starts again, with threads pinned
import os
from pathlib import Path

from config import Config
from safetensors.numpy import save_file

from reproof import runlog, splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    import torch

    params = stage.params.train
    data = splits.load(stage.input("prepared/train.npz"))
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD(model.parameters(), params.lr)
    log = stage.log("clouds")
    resume = stage.resume(model=model, optimizer=optimizer)
    first = resume.position["step"] if resume.position else 1
    for step in range(first, params.steps + 1):
        resume.here(step, step=step)
        if step == 30 and Path("die").exists():
            os._exit(9)
        rows = torch.randperm(len(x))[: params.batch_size]
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.metrics(step, "train", {"loss": loss.item()})
    log.close()
    folder = stage.output("results/latest/checkpoint")
    folder.mkdir(exist_ok=True)
    weights = torch.cat([model.weight.T, model.bias[None]]).detach().double().numpy()
    save_file({"weights": weights.copy()}, folder / "model.safetensors")
    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))
    stage.metric("train.loss", loss.item())


if __name__ == "__main__":
    run_stage("train", main, Config, torch=True)
