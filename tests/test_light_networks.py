"""Nine real networks that nobody here made: their graphs as the onnx package carries them, weights computed.

Each is examined, answers as the package says that it must, and is timed and converted as any model is.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from test_benchmark_command import reproof

from reproof import model_files
from reproof.inference import models

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NETWORKS = sorted(LIGHT.glob("light_*.onnx"))

pytestmark = pytest.mark.soak


@pytest.fixture(params=NETWORKS, ids=lambda path: path.stem.removeprefix("light_"))
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(request.param.read_bytes())
    answer = request.param.with_name(f"{request.param.stem}_output_0.pb")
    (tmp_path / "answer.pb").write_bytes(answer.read_bytes())
    return path


def test_all_nine_are_there() -> None:
    assert len(NETWORKS) == 9


def test_it_answers_as_the_package_says(network: Path) -> None:
    facts = model_files.read(network, network.parent)
    assert facts.inputs is not None
    (port,) = facts.inputs.values()
    shape = tuple(int(size) for size in port.shape)
    # The package's own dummy input: a ramp from 0 to 1.
    ramp = (np.arange(math.prod(shape), dtype=np.float32) / math.prod(shape)).reshape(shape)
    loaded = models.load(network, "onnxruntime", root=network.parent, loader=None, device="cpu", threads=1)
    (answer,) = loaded.call({port.name: ramp}).values()
    expected = numpy_helper.to_array(onnx.load_tensor(network.with_name("answer.pb")))
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-6)


def test_it_is_timed_in_both_precisions_that_a_cpu_has(network: Path) -> None:
    options = ("--precisions", "fp32,int8", "--quick", "--repeats", "2", "--json")
    cells = json.loads(reproof(network.parent, "net.onnx", *options).stdout)["cells"]
    full = cells["onnxruntime-cpu-fp32-b1-t1"]
    assert full["status"] == "measured"
    assert 0 < full["stages"]["end_to_end"]["median_ms"] < 60_000
    whole = cells["onnxruntime-cpu-int8-b1-t1"]
    assert whole["status"] == "measured" or whole["reason"]
