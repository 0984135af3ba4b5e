"""Audio files as waves: one channel, float32 within −1 to 1, at the model's sampling rate."""

from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.errors import ReproofError

Array = npt.NDArray[Any]


def read(path: Path, rate: int | None) -> tuple[Array, str]:
    """Return the wave of a WAV file, shape (samples,), and what is to be known of it.

    Channels are averaged. PCM of 8, 16, 24 or 32 bits, and floats where SciPy is installed. With `rate`, in
    Hz, the wave is resampled by a polyphase filter: its length becomes samples · rate / own rate, rounded up.

    Raises:
        ReproofError: not a WAV file, cut short, of another coding, or without a sample.
    """
    samples, own = _decoded(path)
    if not samples.size:
        raise ReproofError("no sample in it")
    if not np.isfinite(samples).all():
        raise ReproofError("samples that are NaN or infinite")
    channels = samples.shape[1]
    notes = [f"{len(samples) / own:.3g} s at {own} Hz", f"{channels} channel{'s' if channels > 1 else ''}"]
    mono = samples.mean(axis=1)
    if rate is not None and rate != own:
        notes.append(f"resampled to {rate} Hz")
        mono = _resampled(mono, own, rate)
    return mono.astype(np.float32), ", ".join(notes)


def _resampled(samples: Array, own: int, rate: int) -> Array:
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise ReproofError(
            "another sampling rate than the model's, and SciPy, which resamples, is not installed",
            expected=f"{rate} Hz",
            found=f"{own} Hz",
            hint="`pip install scipy`, or save the file at the model's rate",
        ) from error
    common = math.gcd(own, rate)
    return np.asarray(resample_poly(samples, rate // common, own // common))


def _decoded(path: Path) -> tuple[Array, int]:
    """Samples of shape (frames, channels), float64, and their rate."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, own = file.getsampwidth(), file.getnchannels(), file.getframerate()
            declared = file.getnframes()
            data = file.readframes(declared)
    except wave.Error as error:
        if "unknown format" in str(error):
            return _by_scipy(path, str(error))
        raise ReproofError("not a WAV file", found=str(error)) from error
    except (EOFError, OSError, ValueError) as error:
        raise ReproofError("not a WAV file, or cut short", found=str(error) or "it ends early") from error
    if len(data) < declared * channels * width:
        raise ReproofError("the file is cut short", expected=f"{declared} frames", found=f"{len(data)} bytes")
    if not own:
        raise ReproofError("not a WAV file", found="a sampling rate of 0 Hz")
    return _numbers(data, width).reshape(-1, channels), own


def _numbers(data: bytes, width: int) -> Array:
    """PCM: 8 bits are unsigned with silence at 128, more are signed, the lowest byte first."""
    if width == 1:
        return np.asarray((np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128)
    if width == 3:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts  # as the upper bytes of 32 bits
        return np.asarray(wide.view("<i4")[:, 0].astype(np.float64) / 2**31)
    if width not in (2, 4):
        raise ReproofError("samples of an odd size", expected="8, 16, 24 or 32 bits", found=f"{8 * width}")
    return np.asarray(np.frombuffer(data, f"<i{width}").astype(np.float64) / 2 ** (8 * width - 1))


def _by_scipy(path: Path, why: str) -> tuple[Array, int]:
    """What `wave` does not read: floats, and PCM in the extensible format."""
    try:
        from scipy.io import wavfile
    except ImportError as error:
        hint = "`pip install scipy`, or save it as PCM of 16 bits"
        raise ReproofError("a WAV file that is no plain PCM", found=why, hint=hint) from error
    try:
        own, samples = wavfile.read(path)
    except Exception as error:
        # On bytes that are not what they say, it raises what the bytes decide.
        raise ReproofError("a WAV file of a coding that is not read here", found=str(error)[:200]) from error
    shaped = np.asarray(samples)[:, None] if np.ndim(samples) == 1 else np.asarray(samples)
    if shaped.dtype == np.uint8:
        return np.asarray((shaped.astype(np.float64) - 128) / 128), own
    scale = 1.0 if shaped.dtype.kind == "f" else 2.0 ** (8 * shaped.dtype.itemsize - 1)
    return np.asarray(shaped.astype(np.float64) / scale), own
