"""What a stage script opens: checked params, pinned bits, its record, its place in the registry.

    from config import Config
    from reproof.stage import Stage, run_stage

    def main(stage: Stage[Config]) -> None:
        import torch  # inside, so that threads and seeds are pinned before it loads
        data = stage.input("prepared/train.npz")
        ...
        save(stage.output("results/latest/checkpoint"))
        stage.metric("loss", loss)

    if __name__ == "__main__":
        run_stage("train", main, Config, torch=True)

Paths in a script are those of dvc.yaml. Under DVC they mean what they say; by hand with `--config` of
another run, or with `--results FOLDER`, `results/latest` stands for a folder of that run's own.
"""

from reproof.stage.execution import Stage
from reproof.stage.run import run_stage

__all__ = ["Stage", "run_stage"]
