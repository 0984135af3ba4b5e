"""How fast the model is on this machine, and what of it can be believed: fresh processes, an interval, a
verdict. A call is preprocess, model, postprocess, on the inputs of the stage infer."""

from pathlib import PurePosixPath

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import benchmark, contract, files
from reproof.stage import Stage, run_stage

from config import Config

OF_TORCH = ("torch", "torch_compile", "torch_export")


def main(stage: Stage[Config]) -> None:
    examination = files.read_json(stage.input("results/latest/examination.json"))
    stage.input("contract.yaml")
    settings, left_out = suited(stage.params.benchmark, examination)
    stage.fact("left_out", left_out)
    for why in left_out.values():
        print(f"left out: {why}")

    model = examination["model"]
    is_onnx, needs_loader = model["format"] == "onnx", model["format"] in ("safetensors", "torch-weights")
    beside = [str(PurePosixPath(model["path"]).parent / name) for name in model["external_data"] or {}]
    path = stage.input(model["path"])
    for name in beside:
        stage.input(name)
    subject = benchmark.Subject(
        root=stage.root,
        onnx=path if is_onnx else None,
        checkpoint=None if is_onnx else path,
        loader=stage.params.model.loader if needs_loader else None,
        preprocess="src/steps.py:preprocess",
        postprocess="src/steps.py:postprocess",
        samples=stage.input("samples.npz"),
    )

    def show(progress: benchmark.Progress) -> None:
        stage.progress(progress.processes_done, progress.processes)
        print(f"{progress.processes_done}/{progress.processes} processes, {progress.remaining_s:.0f} s left")

    result = benchmark.measure(
        subject,
        settings,
        provenance=benchmark.Provenance(**stage.provenance(model["path"], *beside)),
        samples_file=stage.output("results/latest/benchmark_samples.npz"),
        seed=stage.params.seed,
        on_progress=show,
    )
    stage.write_json("results/latest/benchmark.json", result.model_dump(mode="json"))

    for name, cell in result.cells.items():
        latency = cell.stages.end_to_end.median_ms if cell.stages else None
        stage.metric(f"{name}.latency_ms", latency, reason=cell.reason)
    # Names that every model has, for `summary` and `inference_targets` in params.yaml.
    name, first = next(((n, cell) for n, cell in result.cells.items() if cell.stages), (None, None))
    none = "no cell could be measured"
    stage.metric("latency_ms", first and first.stages.end_to_end.median_ms, reason=none)
    stage.metric("throughput", first and first.throughput.items_per_s, reason=none)
    stage.fact("latency_ms_of", name)


def suited(settings: benchmark.Settings, examination: dict) -> tuple[benchmark.Settings, dict[str, str]]:
    """The settings without what this model cannot run in, and what was left out."""
    changed, left_out = {}, {}
    able = OF_TORCH if examination["runtime"] == "torch" else ("onnxruntime",)
    runtimes = [name for name in settings.runtimes if name in able] or [able[0]]
    if others := [name for name in settings.runtimes if name not in able]:
        changed["runtimes"] = runtimes
        kind = examination["model"]["format"]
        left_out["runtimes"] = f"{', '.join(others)}: a model of the format {kind} runs in {able[0]}"
    size = contract.only_batch_size(contract.ports_of(examination["inputs"]))
    if size is not None and settings.batch_sizes != [size]:
        changed["batch_sizes"] = [size]
        asked = ", ".join(str(other) for other in settings.batch_sizes if other != size)
        left_out["batch_sizes"] = f"batch size {asked}: the model takes batches of {size} alone"
    return settings.model_copy(update=changed), left_out


if __name__ == "__main__":
    run_stage("benchmark", main, Config)
