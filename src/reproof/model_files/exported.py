"""Programs of torch.export (.pt2): read as JSON, and searched for what would run code when torch loads them.

`torch.export.load` trusts its file. As of torch 2.13 it unpickles weights that say `use_pickle`, falls back
on full unpickling where `weights_only` fails, opens shared libraries of AOTInductor, evaluates symbolic sizes
as Python (`sympy.sympify`), looks up operators by any dotted name below `torch`, imports modules that a tree
of inputs names, and writes the graph's names into Python source. `check` allows what `torch.export.save`
writes of tensors, sizes and known operators, and refuses the rest, before torch sees the file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproof import npz
from reproof.errors import ReproofError
from reproof.model_files import weights
from reproof.model_files.facts import Facts, Graph, Weights
from reproof.model_files.ports import Port

# The numbers of `ScalarType` in torch/_export/serde/schema.py, with the bytes of a value.
_DTYPES = {
    1: ("uint8", 1),
    2: ("int8", 1),
    3: ("int16", 2),
    4: ("int32", 4),
    5: ("int64", 8),
    6: ("float16", 2),
    7: ("float32", 4),
    8: ("float64", 8),
    9: ("complex32", 4),
    10: ("complex64", 8),
    11: ("complex128", 16),
    12: ("bool", 1),
    13: ("bfloat16", 2),
    28: ("uint16", 2),
    29: ("float8_e4m3fn", 1),
    30: ("float8_e5m2", 1),
    31: ("float8_e4m3fnuz", 1),
    32: ("float8_e5m2fnuz", 1),
    33: ("float8_e8m0fnu", 1),
    34: ("uint32", 4),
    35: ("uint64", 8),
}
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|prim|quantized|quantized_decomposed|torchvision|torchao)\.(?!from_file)"
    r"([A-Za-z_]\w*(?<!__)|__i?(and|or|xor|lshift|rshift)__)\.[A-Za-z_]\w*(?<!__)"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|map_impl|wrap_with_(set_grad_enabled|autocast)"
    r"|flex_attention)"
    r"|torch\._?sym_(int|float|ite|max|min|not|sqrt|sum|size|numel)|math\.(ceil|floor|trunc|sqrt|pow)"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|and_|or_|not_|xor|eq|ne|lt|le|gt|ge|getitem"
    r"|lshift|rshift)"
)
_IN_SIZES = re.compile(
    r"[suz]\d+|Symbol|Integer|Float|Rational|positive|integer|nonnegative|real|precision|evaluate"
    r"|True|False|true|false|oo|int_oo|zoo|Max|Min|Abs|Add|Mul|Pow|Mod|PythonMod|FloorDiv|CeilDiv|CleanDiv"
    r"|CeilToInt|FloorToInt|TruncToInt|TruncToFloat|RoundToInt|RoundDecimal|ToFloat|FloatPow|FloatTrueDiv"
    r"|IntTrueDiv|PowByNatural|ModularIndexing|Where|LShift|RShift|Identity|IsNonOverlappingAndDense\w*"
    r"|Eq|Ne|Lt|Le|Gt|Ge|Equality|Unequality|StrictLessThan|StrictGreaterThan|LessThan|GreaterThan"
    r"|And|Or|Not|Xor|ceiling|floor|sqrt|log|log2|exp"
)
_NAME = re.compile(r"[\w.\[\]']*")
_KEYS_OF_NAMES = {"name", "parameter_name", "buffer_name", "tensor_constant_name", "buffer_to_mutate"}
_MAX_JSON_BYTES = 500_000_000
_MAX_SIZE_LETTERS = 2000

_HINT = "make the file anew with torch.export.save, or export to ONNX; or load it yourself, in src/model.py"


def read(path: Path, shown: str) -> Facts:
    """Return what a program says of itself, after `check`: torch's own names, sizes, operators.

    Raises:
        ReproofError: as `check`.
    """
    program = check(path, shown)
    module = program["graph_module"]
    try:
        graph, signature = module["graph"], module["signature"]
        values = graph["tensor_values"]
        operators = Counter(_operator(node["target"]) for node in graph["nodes"])
        stored = [values[name] for name in _stored(signature["input_specs"]) if name in values]
        inputs, other_inputs = _ports(_users(signature["input_specs"], "user_input"), values)
        outputs, other_outputs = _ports(_users(signature["output_specs"], "user_output"), values)
        return Facts(
            format="torch-export",
            weights=_weights(stored),
            graph=Graph(
                opset={str(name): int(number) for name, number in program.get("opset_version", {}).items()},
                ir_version=None,
                producer=f"torch {str(program['torch_version'])[:60]}"
                if program.get("torch_version")
                else None,
                nodes=sum(operators.values()),
                operators=dict(operators.most_common(200)),
            ),
            inputs=inputs,
            outputs=outputs,
            other_inputs=other_inputs,
            other_outputs=other_outputs,
        )
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise _unreadable(shown, f"{type(error).__name__}: {error}") from error


def check(path: Path, shown: str) -> dict[str, Any]:
    """Return the program as its JSON says it, when nothing in the file would run code while it loads.

    Raises:
        ReproofError: damaged; or something in it is not on the short list of what is allowed.
        ImportError: torch is not installed, and the file holds pickles of tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {_inner(name): name for name in archive.namelist()}
            for inner, name in names.items():
                _check_entry(archive, inner, name, shown)
            programs = [name for inner, name in names.items() if _is_program(inner)]
            if len(programs) != 1:
                raise _refusal(shown, f"{len(programs)} programs in one file", "exactly one")
            program = _json(archive, programs[0])
    except npz.UNREADABLE as error:
        raise _unreadable(shown, str(error)) from error
    if not isinstance(program, dict) or "graph_module" not in program:
        raise _unreadable(shown, "its program has no graph")
    for key, value in _pairs(program):
        if reason := _unsafe(key, value):
            raise _refusal(
                shown, reason, "what torch.export.save writes of tensors, sizes and known operators"
            )
    return program


def _inner(name: str) -> str:
    """A name without the folder that torch puts around everything; old files have none."""
    return name if name.startswith("serialized_") else name.partition("/")[2] or name


def _is_program(inner: str) -> bool:
    return inner == "serialized_exported_program.json" or (
        inner.startswith("models/") and inner.endswith(".json")
    )


def _check_entry(archive: zipfile.ZipFile, inner: str, name: str, shown: str) -> None:
    """Refuse a part that torch would unpickle without limits, or open as a library."""
    if inner.startswith("data/aotinductor") or inner.endswith((".so", ".dll", ".dylib")):
        raise _refusal(shown, f"compiled code ({inner[:100]})", "a graph, without compiled libraries")
    if re.fullmatch(r"data/constants/(custom|opaque)_obj\w*", inner):
        raise _refusal(shown, f"a pickled object ({inner[:100]})", "tensors alone")
    if inner.endswith(".json") and "_config" in inner:
        for key, value in _pairs(_json(archive, name)):
            if key == "use_pickle" and value is not False:
                raise _refusal(shown, f"pickled tensors ({inner[:100]})", "tensors as plain bytes")
            if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
                raise _refusal(shown, f"a part called {str(value)[:100]!r}", "weight_<n> or tensor_<n>")
    if inner.endswith(".pt") and archive.getinfo(name).file_size:
        with archive.open(name) as stream:
            weights.load(io.BytesIO(stream.read()), f"{shown}: {inner[:100]}")


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > _MAX_JSON_BYTES:
        raise ValueError(f"{name[:100]} is over 500 MB of JSON")
    return json.loads(archive.read(name))


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _unsafe(key: str, value: Any) -> str | None:
    """Return what of one entry is not allowed, in words; None where it is."""
    if key == "target" and not (isinstance(value, str) and _OPERATORS.fullmatch(value)):
        return f"the operator {str(value)[:100]!r}"
    if key == "expr_str" and not _is_size(value):
        return f"a size that is no arithmetic: {str(value)[:100]!r}"
    if key in _KEYS_OF_NAMES and isinstance(value, str) and not _NAME.fullmatch(value):
        return f"a name that is none: {value[:100]!r}"
    if key == "forward_arg_names" and not all(str(name).isidentifier() for name in value or ()):
        return f"an argument's name that is none: {str(value)[:100]}"
    if key in ("in_spec", "out_spec") and re.search(r"__enum__|defaultdict|fqn", str(value)):
        return f"inputs that import a module: {str(value)[:100]}"
    return None


def _is_size(text: Any) -> bool:
    """Whether a symbolic size is arithmetic of symbols: `Symbol('s0', integer=True) + 1`."""
    if not isinstance(text, str) or len(text) > _MAX_SIZE_LETTERS or "__" in text:
        return False
    bare = re.sub(r"'[A-Za-z]\w{0,60}'", "", text)
    words = re.findall(r"(?<![\w.])[^\W\d]\w*", bare)
    known = all(_IN_SIZES.fullmatch(word) for word in words)
    plain = re.fullmatch(r"[\w\s+\-*/%(),.<>=!&|~]*", bare) and not re.search(r"\.\s*[^\W\d]", bare)
    return known and bool(plain)


def _operator(target: str) -> str:
    return target.removeprefix("torch.ops.").removesuffix(".default")


def _stored(specs: list[dict[str, Any]]) -> Iterator[str]:
    for spec in specs:
        for kind in ("parameter", "buffer", "tensor_constant"):
            if kind in spec:
                yield spec[kind]["arg"]["name"]


def _users(specs: list[dict[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [spec[kind]["arg"] for spec in specs if kind in spec]


def _ports(
    arguments: list[Mapping[str, Any]], values: Mapping[str, Any]
) -> tuple[dict[str, Port], dict[str, str]]:
    ports: dict[str, Port] = {}
    others: dict[str, str] = {}
    for index, argument in enumerate(arguments):
        name = str((argument.get("as_tensor") or {}).get("name"))
        if name in values:
            dtype, _ = _DTYPES.get(values[name]["dtype"], ("unknown", 0))
            axes = tuple(_axis(index, size) for index, size in enumerate(values[name]["sizes"]))
            ports[name] = Port(name, dtype, axes)
        else:
            others[f"argument{index}"] = f"no tensor: {next(iter(argument), 'unknown')}"[:100]
    return ports, others


def _axis(index: int, size: Mapping[str, Any]) -> int | str:
    """A size; or the symbol of an axis that varies, such as `s31`, or its arithmetic."""
    if "as_int" in size:
        return int(size["as_int"])
    text = str(size.get("as_expr", {}).get("expr_str", ""))
    words = re.sub(r"Symbol\('(\w+)'[^)]*\)|Integer\((-?\d+)\)", lambda found: found[1] or found[2], text)
    return words[:60] or f"axis{index}"


def _weights(stored: list[Mapping[str, Any]]) -> Weights:
    parameters = size = 0
    dtypes: Counter[str] = Counter()
    for tensor in stored:
        dtype, width = _DTYPES.get(tensor["dtype"], ("unknown", 0))
        count = 1
        for axis in tensor["sizes"]:
            count *= int(axis.get("as_int", 0))
        parameters, size = parameters + count, size + count * width
        dtypes[dtype] += count
    return Weights(len(stored), parameters, size, dict(dtypes.most_common()))


def _refusal(shown: str, found: str, expected: str) -> ReproofError:
    return ReproofError(
        "a torch.export file with more in it than tensors and operators, so it is not loaded",
        where=shown,
        expected=expected,
        found=found,
        hint=_HINT,
    )


def _unreadable(shown: str, found: str) -> ReproofError:
    return ReproofError(
        "a torch.export file that cannot be read: damaged, or of another version of torch",
        where=shown,
        found=found[:200],
        hint=_HINT,
    )
