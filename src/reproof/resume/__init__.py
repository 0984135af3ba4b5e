"""Going on after a crash: a training that was killed continues from its last saved step, bit by bit."""

from reproof.resume.training import Resume, Stateful

__all__ = ["Resume", "Stateful"]
