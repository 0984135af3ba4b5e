"""`make demo`: what a newcomer would type, typed for them."""

from __future__ import annotations

import json

from rendered import ROOT, SHOW, shell, start

DEMO = ROOT / "demo"
EXPERIMENTS = ("", " -S train.lr=0.01", " -S train.lr=0.01 -S model.channels=4")


def main() -> None:
    if DEMO.exists():
        print("demo/ is there already: going on in it. `rm -rf demo` and `make demo` start afresh.")
    else:
        print("A project from the template. No questions asked: every one has a default that works.")
        start(DEMO)
    print(
        "\nThree experiments on handwritten digits: train, export, evaluate, benchmark; half a minute each."
    )
    for change in EXPERIMENTS:
        shell(f"dvc exp run{change}", DEMO)
    print("\nDVC compares them: accuracy and loss on the test split, latency of one digit by ONNX Runtime.")
    shell(SHOW, DEMO)
    print("\nWhich is best, and is it really?")
    shell("reproof compare", DEMO)
    summary = json.loads((DEMO / "results/latest/summary.json").read_text())
    print(f"""
Where to look (the last run's status: {summary["status"]}):
  demo/reports/index.html        the report of the last run: open it in a browser
  demo/reports/experiment.md     the same as Git holds it; inference.md and model_card.md are beside it
  demo/results/latest/           its record: meta.json, summary.json, digests.json, benchmark.json, ...
  demo/params.yaml, demo/src/    what you would change
  demo/README.md                 the loop, your own data, sharing

To go on:  source .venv/bin/activate && cd demo
  reproof report --check         what the report lacks: words of yours, mostly, which go into notes/
  reproof diff NAME NAME         what differs between two of them, and what it did
  reproof verify NAME            run one of them again, elsewhere: does the same come out?
  reproof log                    all three runs as one document: training_reports/
  dvc exp run -S seed=1          another seed; then `reproof history && dvc repro report` shows the spread""")


if __name__ == "__main__":
    main()
