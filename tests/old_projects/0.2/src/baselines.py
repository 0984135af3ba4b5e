"""What the model has to beat, on the same split."""

import numpy as np
from reproof.splits import Split

from data import preprocess


def accuracies(train: Split, other: Split, seed: int) -> dict[str, float]:
    """Return the accuracy on `other` of baselines fitted on `train`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    majority = np.bincount(train.y).argmax()
    flat = [preprocess(split.x).reshape(len(split.x), -1) for split in (train, other)]
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    logistic.fit(flat[0], train.y)
    return {
        "majority": float((other.y == majority).mean()),
        "logistic": float((logistic.predict(flat[1]) == other.y).mean()),
    }
