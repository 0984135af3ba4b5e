"""Real data into train, validation and test, with a manifest and checksums of what is where."""

import inspect
from collections.abc import Callable

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import pictures, splits
from reproof.stage import Stage, run_stage

from config import Config


def main(stage: Stage[Config]) -> None:
    import data

    params = stage.params.data
    if data.RAW.exists():
        stage.input("data/raw")
    everything, classes = data.load()
    fractions = params.fractions.model_dump()
    parts = splits.stratified(everything, fractions, params.split_seed, classes=classes)

    folder = stage.output("prepared")
    splits.save(folder, parts)
    splits.write_dataset(
        folder / "dataset.json", name=params.name, classes=classes, made_with=params.model_dump()
    )
    manifest = splits.manifest(parts, dataset=params.name, seed=params.split_seed, fractions=fractions)
    stage.write_json("results/latest/split_manifest.json", manifest)
    stage.write_json("results/latest/split_checksums.json", splits.checksums(parts))

    pictures.samples(parts["train"], classes, stage.output("results/latest/samples.png"))

    quality = splits.quality(parts, classes)
    stage.fact("quality", quality)
    stage.fact("files", splits.inventory(folder))
    if everything.features is not None:
        stage.fact("features", everything.features.tolist())
    stage.fact("source", "data/raw" if data.RAW.exists() else data.BUILT_IN)
    stage.fact("preprocess", said_of(data.preprocess))
    stage.fact("postprocess", said_of(data.postprocess))
    leaked = quality["examples_in_other_splits"]["test"]
    print(f"{quality['examples']} examples, {len(classes)} classes; {leaked} of test also in other splits")


def said_of(function: Callable[..., object]) -> str | None:
    """The first paragraph of a function's docstring, for the reports."""
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ") or None


if __name__ == "__main__":
    run_stage("prepare", main, Config)
