"""How fast the model is, and what of it can be believed: torch and ONNX Runtime in fresh processes."""

from config import Config
from reproof import benchmark
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    subject = benchmark.Subject(
        root=stage.root,
        onnx=stage.input("results/latest/model.onnx"),
        checkpoint=stage.input("results/latest/checkpoint"),
        loader="src/model.py:load",
        preprocess="src/data.py:preprocess",
        postprocess="src/data.py:postprocess",
        samples=stage.input("prepared/test.npz"),
        samples_array="x",
    )
    result = benchmark.measure(
        subject,
        stage.params.benchmark,
        provenance=stage.provenance(),
        samples_file=stage.output("results/latest/benchmark_samples.npz"),
        seed=stage.params.seed,
        on_progress=stage.progress,
    )
    stage.write_json("results/latest/benchmark.json", result.model_dump(mode="json"))


if __name__ == "__main__":
    run_stage("benchmark", main, Config)
