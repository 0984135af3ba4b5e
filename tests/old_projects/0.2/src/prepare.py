"""Real data into train, validation and test, with a manifest and checksums of what is where."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import splits
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

    quality = splits.quality(parts, classes)
    stage.fact("quality", quality)
    leaked = sum(quality["duplicates_across"].values())
    print(f"{quality['examples']} examples, {len(classes)} classes, {leaked} duplicates across splits")


if __name__ == "__main__":
    run_stage("prepare", main, Config)
