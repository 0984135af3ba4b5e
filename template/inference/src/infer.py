"""Inputs through the model: what it says to each, and whether it does so twice."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import files, inference
from reproof.pin import pin_torch
from reproof.stage import Stage, run_stage

from config import Config


def main(stage: Stage[Config]) -> None:
    from steps import postprocess, preprocess

    params = stage.params
    examination = files.read_json(stage.input("results/latest/examination.json"))
    stage.input("contract.yaml")
    stage.input(examination["model"]["path"])
    if examination["runtime"] == "torch":
        pin_torch(params)

    record = inference.run(
        stage.root,
        examination,
        params.inputs,
        params.infer,
        preprocess=preprocess,
        postprocess=postprocess,
        loader=params.model.loader,
        device=params.device,
        threads=params.threads,
        seed=params.seed,
        outputs=stage.output("outputs"),
        samples=stage.output("samples.npz"),
        picture=stage.output("results/latest/inputs.png"),
        on_progress=stage.progress,
    )
    stage.write_json("results/latest/inference.json", record)

    stage.fact("device", record["device"])
    stage.metric("succeeded", record["succeeded"])
    stage.metric("failed", record["failed"])
    for one in record["inputs"].values():
        if one["status"] == "failed":
            stage.missing(f"inputs.{one['file']}", one["reason"])
    inference.verdict(record)  # an error where nothing came out
    made_up = f", made up: {record['synthetic_reason']}" if record["synthetic"] else ""
    print(f"{record['succeeded']} of {len(record['inputs'])} inputs went through the model{made_up}")


if __name__ == "__main__":
    run_stage("infer", main, Config)
