"""How fast the model is on this machine, and what of it can be believed: fresh processes, an interval, a
verdict. Torch and ONNX Runtime get the same raw examples; a call is preprocess, model, postprocess."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import benchmark
from reproof.stage import Stage, run_stage

from config import Config

ONNX, CHECKPOINT = "results/latest/model.onnx", "results/latest/checkpoint"


def main(stage: Stage[Config]) -> None:
    subject = benchmark.Subject(
        root=stage.root,
        onnx=stage.input(ONNX),
        checkpoint=stage.input(CHECKPOINT),
        loader="src/model.py:load",
        preprocess="src/data.py:preprocess",
        postprocess="src/data.py:postprocess",
        samples=stage.input("prepared/test.npz"),
        samples_array="x",
    )

    def show(progress: benchmark.Progress) -> None:
        stage.progress(progress.processes_done, progress.processes)
        print(f"{progress.processes_done}/{progress.processes} processes, {progress.remaining_s:.0f} s left")

    result = benchmark.measure(
        subject,
        stage.params.benchmark,
        provenance=benchmark.Provenance(**stage.provenance(ONNX, CHECKPOINT)),
        samples_file=stage.output("results/latest/benchmark_samples.npz"),
        seed=stage.params.seed,
        on_progress=show,
    )
    stage.write_json("results/latest/benchmark.json", result.model_dump(mode="json"))
    for name, cell in result.cells.items():
        latency = cell.stages.end_to_end.median_ms if cell.stages else None
        stage.metric(f"{name}.latency_ms", latency, reason=cell.reason)


if __name__ == "__main__":
    run_stage("benchmark", main, Config)
