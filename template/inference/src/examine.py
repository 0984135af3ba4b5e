"""What the model file is, what it needs, what contract.yaml leaves open; and the plan of the run."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import examination, files
from reproof.errors import ReproofError
from reproof.stage import Stage, run_stage

from config import Config


def main(stage: Stage[Config]) -> None:
    params = stage.params
    found = examination.examine(stage.root, params.model, benchmark=params.benchmark, inputs=params.inputs)
    stage.input("contract.yaml")
    model, contract = found["model"], found["contract"]
    stage.input(model["path"])
    stage.write_json("results/latest/examination.json", found)
    files.write_text(stage.output("plan.md"), examination.plan(found))

    stage.metric("size_bytes", model["bytes"])
    weights = found["weights"] or {}
    stage.metric("parameters", weights.get("parameters"), reason=found["weights_reason"])
    print(f"{model['path']}: {model['format']}, {model['bytes']:,} bytes, to run in {found['runtime']}")
    for field, check in contract["checks"].items():
        if check["status"] == "conflicts":
            print(f"contract.yaml: {field} is {check['declared']}, and the file says {check['found']}")
    if contract["open"]:
        print(f"contract.yaml leaves open: {', '.join(contract['open'])}; plan.md says why they matter")
    if missing := found["dependencies"]["missing"]:
        raise ReproofError(
            "something that this model needs is not installed",
            where=model["path"],
            found=", ".join(f"{name}: {why}" for name, why in missing.items()),
            hint=f"{found['dependencies']['install']}; then the same command again",
        )


if __name__ == "__main__":
    run_stage("examine", main, Config)
