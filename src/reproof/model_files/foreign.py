"""What is no model that runs here: formats of other tools, and the files that stand in a model's place."""

from __future__ import annotations

from collections.abc import Iterable

from reproof.errors import ReproofError

_HERE = "ONNX, TorchScript, torch.export (.pt2), or weights as safetensors or a state_dict"

_EXPORT = "export the model to ONNX from the framework that made it, and put that file here"
_OTHER_TOOLS: dict[str, tuple[str, str]] = {
    "tensorrt": (
        "a TensorRT engine, which fits one kind of GPU and one version of TensorRT alone",
        "take the ONNX file that the engine was built from",
    ),
    "tflite": (
        "a TensorFlow Lite model",
        "`python -m tf2onnx.convert --tflite model.tflite --output model.onnx` makes an ONNX file of it",
    ),
    "keras": ("a Keras model", "in Keras 3: `model.export('model.onnx', format='onnx')`"),
    "hdf5": ("an HDF5 file, such as Keras writes", "in Keras 3: `model.export('model.onnx', format='onnx')`"),
    "tensorflow": (
        "a TensorFlow graph",
        "`python -m tf2onnx.convert --saved-model FOLDER --output model.onnx` makes an ONNX file of it",
    ),
    "openvino": ("a model of OpenVINO", "take the model that it was converted from"),
    "coreml": ("a Core ML model", "take the model that it was converted from"),
    "gguf": ("a GGUF model of llama.cpp", "take the safetensors weights that it was converted from"),
    "ort": ("ONNX Runtime's own compact format", "take the .onnx file that it was made from"),
    "paddle": ("a PaddlePaddle model", "`paddle2onnx` makes an ONNX file of it"),
    "ncnn": ("an ncnn model", "take the model that it was converted from"),
    "mnn": ("an MNN model", "take the model that it was converted from"),
    "rknn": ("an RKNN model", "take the ONNX file that it was converted from"),
    "caffe": ("a Caffe model", _EXPORT),
    "flax": ("weights of Flax", _EXPORT),
    "torchserve": (
        "a TorchServe archive",
        "unpack it (it is a ZIP archive), and put the model inside it here",
    ),
    "nemo": ("a NeMo archive", "`model.export('model.onnx')` in NeMo"),
    "executorch": ("an ExecuTorch program", "save what it was made from: `torch.export.save(program, path)`"),
    "xgboost": ("an XGBoost model", "`onnxmltools.convert_xgboost` makes an ONNX model of it"),
    "sklearn": (
        "a pickled scikit-learn model",
        "`skl2onnx.to_onnx(model, example)` makes an ONNX model of it",
    ),
}

SUFFIXES: dict[str, str] = {
    ".engine": "tensorrt",
    ".plan": "tensorrt",
    ".trt": "tensorrt",
    ".tflite": "tflite",
    ".keras": "keras",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".pb": "tensorflow",
    ".mlmodel": "coreml",
    ".gguf": "gguf",
    ".ggml": "gguf",
    ".ort": "ort",
    ".pdmodel": "paddle",
    ".pdiparams": "paddle",
    ".ncnn": "ncnn",
    ".mnn": "mnn",
    ".rknn": "rknn",
    ".caffemodel": "caffe",
    ".msgpack": "flax",
    ".mar": "torchserve",
    ".nemo": "nemo",
    ".pte": "executorch",
    ".ubj": "xgboost",
    ".joblib": "sklearn",
}
"""Formats of other tools by the end of the name; content that says otherwise wins."""

_ARCHIVES = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"7z\xbc\xaf", "7-Zip"))


def name_of(head: bytes) -> str | None:
    """Return which tool's format the first 512 bytes of a file belong to; None for no known one."""
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(b"ftrt"):
        return "tensorrt"
    if head.startswith(b"RKNN"):
        return "rknn"
    if head[:8].strip().startswith(b"7767517"):
        return "ncnn"
    return {b"TFL3": "tflite", b"ORTM": "ort", b"ET12": "executorch"}.get(head[4:8])


def name_of_archive(names: Iterable[str]) -> str | None:
    """Return which tool's ZIP archive holds these entries; None for no known one."""
    found = set(names)
    if "MAR-INF/MANIFEST.json" in found:
        return "torchserve"
    return "keras" if {"config.json", "model.weights.h5"} <= found else None


def refusal(tool: str, where: str) -> ReproofError:
    """Return the error for a model of another tool, with the way out."""
    found, hint = _OTHER_TOOLS[tool]
    return ReproofError(
        "a known format, and none that runs here", where=where, expected=_HERE, found=found, hint=hint
    )


def stand_in(head: bytes, where: str) -> ReproofError | None:
    """Return the error for a file that only stands where a model should: a pointer, a web page, an archive.

    Args:
        head: the first 512 bytes.
        where: the file, for the error.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"version https://git-lfs.github.com/spec/"):
        return ReproofError(
            "not the model, but Git LFS's pointer to it",
            where=where,
            hint="`git lfs install && git lfs pull` brings the file itself",
        )
    if text.startswith((b"outs:\n", b"outs:\r\n", b"md5: ")) and b"md5" in text:
        return ReproofError(
            "not the model, but DVC's pointer to it",
            where=where,
            hint="give the pointer back its name, which ends in .dvc; then `dvc pull` brings the file itself",
        )
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return ReproofError(
            "a web page, saved under the model's name",
            where=where,
            hint="take the file itself: on a forge, its 'raw' or 'download' address, logged in if need be",
        )
    if text.startswith(b"<?xml") and b"<net" in text:
        return refusal("openvino", where)
    if text.startswith((b"<?xml", b"<error")):
        return ReproofError(
            "an XML document, such as a storage server's error, and no model",
            where=where,
            found=_first_line(head),
            hint="download the file again; its address may have expired",
        )
    packed = next((name for begin, name in _ARCHIVES if head.startswith(begin)), None)
    packed = packed or ("tar" if head[257:262] == b"ustar" else None)
    if packed:
        return ReproofError(
            f"packed with {packed}", where=where, hint="unpack it, and put the model that is inside here"
        )
    return None


def unknown(head: bytes, where: str) -> ReproofError:
    """Return the error for content that nobody here knows."""
    words = _first_line(head) if _is_text(head) else f"bytes that begin with {head[:12].hex(' ')}"
    return ReproofError(
        "not a model",
        where=where,
        expected=_HERE,
        found=f"text: {words}" if _is_text(head) else words,
        hint="was it copied or downloaded whole? Compare its size and SHA-256 with those of its source",
    )


def _is_text(head: bytes) -> bool:
    try:
        text = head[:500].decode("utf-8", "strict" if len(head) <= 500 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)


def _first_line(head: bytes) -> str:
    return head.decode("utf-8", "replace").strip().splitlines()[0][:80] if head.strip() else "blank space"
