"""What the model has to beat: fitted on the training split, asked the same examples as the model."""

import numpy as np
from reproof.evaluation import Baseline
from reproof.splits import Split

from data import preprocess


def fit(parts: dict[str, Split], classes: int, seed: int) -> list[Baseline]:
    """Return the baselines with their probabilities, shape (examples, classes), for each split."""
    return [majority(parts, classes), logistic(parts, classes, seed)]


def majority(parts: dict[str, Split], classes: int) -> Baseline:
    shares = np.bincount(parts["train"].y, minlength=classes) / len(parts["train"].y)
    answers = {name: np.tile(shares, (len(part.y), 1)) for name, part in parts.items()}
    return Baseline("majority", "Always the most frequent class of the training split", answers)


def logistic(parts: dict[str, Split], classes: int, seed: int) -> Baseline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    flat = {name: preprocess(part.x).reshape(len(part.x), -1) for name, part in parts.items()}
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    model.fit(flat["train"], parts["train"].y)
    answers = {name: np.zeros((len(x), classes)) for name, x in flat.items()}
    for name, x in flat.items():
        answers[name][:, model.classes_] = model.predict_proba(x)
    return Baseline("logistic", "Logistic regression on the standardised raw features", answers)
