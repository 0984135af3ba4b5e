"""How good the exported model is, through ONNX Runtime: with intervals, and against baselines."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import evaluation, onnx_export, pictures, splits
from reproof.stage import Stage, run_stage

from config import Config

BATCH_SIZE = 256


def main(stage: Stage[Config]) -> None:
    import numpy as np

    from baselines import fit
    from data import postprocess, preprocess

    dataset = splits.read_dataset(stage.input("prepared/dataset.json"), stage.params.data.model_dump())
    classes = dataset["classes"]
    parts = {name: splits.load(stage.input(f"prepared/{name}.npz")) for name in splits.NAMES}
    session = onnx_export.open_session(stage.input("results/latest/model.onnx"), stage.params.threads)

    predictions = {}
    for name, part in parts.items():
        batches = [part.x[i : i + BATCH_SIZE] for i in range(0, len(part.x), BATCH_SIZE)]
        answers = [postprocess(onnx_export.predict(session, preprocess(batch))) for batch in batches]
        predictions[name] = evaluation.Predictions(part.ids, part.y, np.concatenate(answers))
    baselines = fit(parts, len(classes), stage.params.seed)

    report = evaluation.assess(predictions, classes, baselines, dataset=dataset["name"])
    for metric, (value, reason) in evaluation.metrics(report).items():
        stage.metric(metric, value, reason=reason)

    latest = "results/latest"
    stage.write_json(f"{latest}/evaluation.json", report)
    rows = stage.output(f"{latest}/predictions.parquet")
    evaluation.write_predictions(rows, predictions, classes, baselines)
    evaluation.write_confusion(stage.output(f"{latest}/confusion.csv"), predictions["test"], classes)
    evaluation.write_calibration(stage.output(f"{latest}/calibration.csv"), report)
    pictures.answers(report, parts["test"], stage.output(f"{latest}/examples.png"))

    test = report["splits"]["test"]
    interval = test["intervals"].get("accuracy")
    between = " ({:.4f} to {:.4f})".format(*interval) if interval else ""
    print(f"test accuracy {test['accuracy']:.4f}{between}, {test['examples']} examples")


if __name__ == "__main__":
    run_stage("evaluate", main, Config)
