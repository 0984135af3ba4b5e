"""How the exported model holds where its input is worse than the test split: corrupted, attacked, from
elsewhere; by group where the data names groups; and which parts of the input its answer depends on."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import onnx_export, robustness, splits
from reproof.stage import Stage, run_stage

from config import Config

RESULT = "results/latest/robustness.json"


def main(stage: Stage[Config]) -> None:
    params = stage.params.robustness
    if not params.enabled:
        reason = "robustness.enabled is false in params.yaml"
        stage.write_json(RESULT, robustness.skipped(reason))
        print(f"skipped: {reason}")
        return

    from data import load, postprocess, preprocess

    dataset = splits.read_dataset(stage.input("prepared/dataset.json"), stage.params.data.model_dump())
    train, test = (splits.load(stage.input(f"prepared/{name}.npz")) for name in ("train", "test"))
    session = onnx_export.open_session(stage.input("results/latest/model.onnx"), stage.params.threads)
    second = None
    if params.second_data:  # a folder in data/; one elsewhere needs a line in dvc.yaml, for DVC to see it
        second = robustness.Second(params.second_data, *load(stage.input(params.second_data)))

    def torch_model():
        """For the attack, which needs gradients; torch is imported here and nowhere else."""
        from reproof.pin import pin_torch

        import model

        pin_torch(stage.params)
        return model.load(stage.input("results/latest/checkpoint"))

    subject = robustness.Subject(
        name=dataset["name"],
        train=train,
        test=test,
        classes=dataset["classes"],
        preprocess=preprocess,
        model=lambda batch: onnx_export.predict(session, batch),
        postprocess=postprocess,
        torch_model=torch_model,
        second=second,
    )
    result = robustness.measure(subject, params, stage.params.seed)
    stage.write_json(RESULT, result)
    for name, (value, reason) in robustness.headline(result).items():
        stage.metric(name, value, reason=reason)
    for name, corruption in result["corruptions"].items():
        values = " ".join(f"{each['value']:.4f}" for each in corruption["strengths"].values())
        print(f"{name}: {values} (clean {result['clean']['value']:.4f})")


if __name__ == "__main__":
    run_stage("robustness", main, Config)
