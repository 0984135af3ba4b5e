"""How good the exported model is: train, validation and test through ONNX Runtime."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import onnx_export, splits
from reproof.evaluation import SCHEMA_VERSION, Predictions, classification, write_predictions
from reproof.stage import Stage, run_stage

from config import Config

BATCH_SIZE = 256


def main(stage: Stage[Config]) -> None:
    import numpy as np

    from data import postprocess, preprocess

    dataset = splits.read_dataset(stage.input("prepared/dataset.json"), stage.params.data.model_dump())
    session = onnx_export.open_session(stage.input("results/latest/model.onnx"), stage.params.threads)

    predictions, scores = {}, {}
    for split in splits.NAMES:
        part = splits.load(stage.input(f"prepared/{split}.npz"))
        batches = [part.x[i : i + BATCH_SIZE] for i in range(0, len(part.x), BATCH_SIZE)]
        answers = [postprocess(onnx_export.predict(session, preprocess(batch))) for batch in batches]
        predictions[split] = Predictions(part.ids, part.y, np.concatenate(answers))
        scores[split] = classification(predictions[split], dataset["classes"])
        for metric in ("accuracy", "precision", "recall", "f1", "auc", "loss"):
            stage.metric(
                f"{split}.{metric}", scores[split][metric], reason=scores[split]["auc_missing_reason"]
            )

    write_predictions(stage.output("results/latest/predictions.parquet"), predictions, dataset["classes"])
    evaluation = {"schema_version": SCHEMA_VERSION, "dataset": dataset["name"], "splits": scores}
    stage.write_json("results/latest/evaluation.json", evaluation)
    print(f"test accuracy {scores['test']['accuracy']:.4f} on {scores['test']['examples']} examples")


if __name__ == "__main__":
    run_stage("evaluate", main, Config)
