"""A network of one hidden layer, in numpy."""

import numpy as np

CLASSES = 10


def initial(random, features, hidden):
    return {
        "w1": 0.1 * random.standard_normal((features, hidden)),
        "b1": np.zeros(hidden),
        "w2": 0.1 * random.standard_normal((hidden, CLASSES)),
        "b2": np.zeros(CLASSES),
    }


def forward(weights, x):
    """Return the hidden activations and the probabilities of the classes."""
    hidden = np.maximum(x @ weights["w1"] + weights["b1"], 0)
    scores = hidden @ weights["w2"] + weights["b2"]
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, exponents / exponents.sum(axis=1, keepdims=True)


def step(weights, x, y, train):
    """Move the weights against the gradient; return the loss before."""
    hidden, probabilities = forward(weights, x)
    loss = -np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean()
    ahead = (probabilities - np.eye(CLASSES)[y]) / len(y)
    behind = (ahead @ weights["w2"].T) * (hidden > 0)
    weights["w2"] -= train.lr * hidden.T @ ahead
    weights["b2"] -= train.lr * ahead.sum(axis=0)
    weights["w1"] -= train.lr * x.T @ behind
    weights["b1"] -= train.lr * behind.sum(axis=0)
    return loss


def fit(x, y, model, train, seed):
    """Return the trained weights and, by step, the loss."""
    random = np.random.default_rng(seed)
    weights = initial(random, x.shape[1], model.hidden)
    losses = []
    for _ in range(train.epochs):
        order = random.permutation(len(x))
        for start in range(0, len(x), train.batch_size):
            rows = order[start : start + train.batch_size]
            losses.append(float(step(weights, x[rows], y[rows], train)))
    return weights, losses
