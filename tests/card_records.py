"""Records for the cards: the committed example, which is of an older form, and what newer ones hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlcroissant
import yaml
from huggingface_hub import ModelCard

from reproof import files
from reproof.report import notes, source
from reproof.report.cards import model
from reproof.report.notes import Notes
from reproof.report.source import Source

EXAMPLE = Path(__file__).parent / "old_records" / "0.1"
OPTIONAL = sorted(
    {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*.json")} - {"meta.json", "summary.json"}
)
HOSTILE = "a|b: \"c\" 'd' `e`\n---\n# <script>alert(1)</script> é 漢 *f* [g](h) {{ 1 }} #: - ]"
DECLARED = {
    "title": "Digits by a small network",
    "authors": ["Ada Lovelace", "Charles Babbage"],
    "tags": ["digits"],
    "license": "MIT",
    "base_model": "acme/base",
    "dataset": {
        "source": "https://archive.ics.uci.edu/dataset/80",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "citation": "Alpaydin, E. and Kaynak, C. (1998).",
        "target": "which digit it is",
    },
}
Change = Callable[[Path], None]


def read(folder: Path, *changes: Change) -> Source:
    """A copy of the committed record, changed."""
    record = folder / "record"
    shutil.copytree(EXAMPLE, record, dirs_exist_ok=True)
    for change in changes:
        change(record)
    return source.read(record)


def edit(name: str, change: Callable[[Any], Any]) -> Change:
    def apply(record: Path) -> None:
        path = record / name
        found = files.read_json(path) if path.exists() else {}
        files.write_json(path, change(found) or found)

    return apply


def declare(**report: Any) -> Change:
    def apply(record: Path) -> None:
        path = record / "config.yaml"
        whole = path.read_text() + "\n" + yaml.safe_dump({"report": report}, allow_unicode=True)
        path.write_text(whole)

    return apply


def remove(name: str) -> Change:
    return lambda record: (record / name).unlink()


def facts(stage: str, **added: Any) -> Change:
    return edit(f"stages/{stage}.json", lambda record: record["facts"].update(added))


def version_2(evaluation: dict[str, Any]) -> None:
    """What evaluation.json has held since its second version."""
    test = evaluation["splits"]["test"]
    test["intervals"] = {"accuracy": [0.9481, 0.9889]}
    evaluation |= {
        "schema_version": 2,
        "task": "classification",
        "classes": list(test["per_class"]),
        "bootstrap": {"method": "BCa", "resamples": 2000, "seed": 0, "confidence": 0.95},
        "baselines": {
            "logistic": {
                "description": "logistic regression on the same pixels",
                "splits": {"test": {"examples": 270, "accuracy": 0.9666}},
                "comparison": {
                    "split": "test",
                    "claim": "It speaks of two models, this one and logistic, not of the methods.",
                    "differences": {
                        "accuracy": {
                            "difference": 0.0074,
                            "interval": [-0.0111, 0.0259],
                            "missing_reason": None,
                        }
                    },
                    "mcnemar": {"only_model": 5, "only_baseline": 3, "p_value": 0.7266},
                    "mcnemar_missing_reason": None,
                },
            }
        },
        "calibration": {
            "split": "test",
            "ece": 0.0123,
            "ece_if_calibrated": 0.0094,
            "ece_if_calibrated_95": 0.0168,
            "bins": {},
        },
        "confused": {"0": {"label": "8", "predicted": "1", "examples": 2, "share": 0.0769}},
    }


def regressor(evaluation: dict[str, Any]) -> dict[str, Any]:
    scores = {"examples": 270, "rmse": 2.5, "mae": 1.75, "r2": 0.8125, "bias": -0.0625}
    return {
        "schema_version": 2,
        "task": "regression",
        "dataset": "houses",
        "classes": None,
        "splits": {
            name: scores | {"intervals": {"rmse": [2.25, 2.875]}, "intervals_missing": {}}
            for name in ("train", "validation", "test")
        },
        "baselines": {},
        "residuals": {"quantiles": {"0.05": -4.5, "0.5": 0.125, "0.95": 4.25}, "bins": {}},
    }


ROBUSTNESS = {
    "schema_version": 1,
    "status": "measured",
    "reason": None,
    "split": "test",
    "metric": "accuracy",
    "examples": 270,
    "clean": {"value": 0.9741, "interval": [0.9481, 0.9889]},
    "corruptions": {
        "gaussian_noise": {
            "description": "noise",
            "strengths": {
                "1": {
                    "amount": 0.1,
                    "unit": "of the range",
                    "value": 0.9,
                    "interval": [0.86, 0.93],
                    "change": -0.0741,
                }
            },
        }
    },
    "adversarial": None,
    "adversarial_missing_reason": "no gradients",
    "second_dataset": None,
    "second_dataset_missing_reason": "none is configured",
    "groups": {"site | A": {"examples": 130, "value": 0.9615, "interval": [0.92, 0.98]}},
    "groups_missing_reason": None,
}


def nothing(folder: Path) -> Notes:
    return notes.read(folder / "no-notes")


def card(found: Source, folder: Path) -> ModelCard:
    return ModelCard(model.text(found, nothing(folder)))


def validated(described: dict[str, Any]) -> set[str]:
    """Validate as mlcroissant does, which raises for an error; return its warnings."""
    dataset = mlcroissant.Dataset(jsonld=json.loads(json.dumps(described)))
    return set(dataset.metadata.ctx.issues.warnings)
