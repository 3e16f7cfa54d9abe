"""The exported graph in onnxruntime against the codes of the command."""

import os
import subprocess

import numpy as np
import pytest

import aefeat

from test_network import SETTINGS, rows

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def codes(model, x, tmp_path, binary, *flags):
    model.save(tmp_path / "model")
    graph = str(tmp_path / "graph.onnx")
    subprocess.run([binary, "export", "--onnx", "-m", tmp_path / "model", "-o", graph, "-q", *flags], check=True)
    onnx.checker.check_model(onnx.load(graph), full_check=True)
    (out,) = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(["code"], {"patch": x})
    return out


def want(model, x):
    table = aefeat.transform_arrow(x, model, layout="list").read_all()
    return table["code"].combine_chunks().flatten().to_numpy().reshape(len(x), -1)


@pytest.mark.parametrize("preprocess", ["none", "scale", "patch", "standardize", "zca"])
@pytest.mark.parametrize("objective", SETTINGS)
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_as_the_command(tmp_path, binary, objective, preprocess):
    settings = dict(SETTINGS[objective])
    if preprocess in ("standardize", "zca"):
        if settings.get("loss") == "cross-entropy":
            pytest.skip("cross-entropy needs values in [0, 1]")
        settings["output_activation"] = "linear"
    x = rows("float32" if preprocess == "none" else "uint8")
    model = aefeat.fit_arrow(x, hidden=12, batch_size=50, epochs=2, preprocess=preprocess, **settings)
    right = want(model, x)
    for got in (
        codes(model, x, tmp_path, binary),
        codes(model, x.astype(np.float32), tmp_path, binary, "--input-type", "float32"),
    ):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, right, atol=1e-5 * max(1, np.abs(right).max()))


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32", "float64"])
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_types_of_values(tmp_path, binary, kind):
    x = rows(kind)
    model = aefeat.fit_arrow(x, hidden=12, epochs=1)
    np.testing.assert_allclose(codes(model, x, tmp_path, binary), want(model, x), atol=1e-5)
