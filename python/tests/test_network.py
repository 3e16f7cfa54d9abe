"""Codes, reconstructions and scores in numpy against those of the command."""

import pickle

import numpy as np
import pytest

import aefeat

ROWS, WIDTH = 400, 36


def rows(kind):
    """Rows of blobs: neighbours are alike, as in a picture."""
    rng = np.random.default_rng(7)
    at = np.arange(WIDTH)
    centre, size = rng.uniform(0, WIDTH, (ROWS, 1)), rng.uniform(1, 6, (ROWS, 1))
    x = np.exp(-(((at - centre) / size) ** 2)) + 0.1 * rng.random((ROWS, WIDTH))
    x /= x.max()
    if kind == "uint8":
        return (255 * x).astype(np.uint8)
    if kind == "uint16":
        return (65535 * x).astype(np.uint16)
    if kind == "int32":
        return (255 * x).astype(np.int32)
    return x.astype(kind)


SETTINGS = {
    "sparse": {},
    "denoising": {"objective": "denoising"},
    "denoising tied": {"objective": "denoising", "tied": True},
    "contractive": {"objective": "contractive"},
    "k-sparse": {"objective": "k-sparse", "k": 3},
    "k-sparse alpha": {"objective": "k-sparse", "k": 3, "k_encode": 1.5},
    "plain": {"objective": "plain"},
    "tanh": {"activation": "tanh", "output_activation": "linear"},
    "relu": {"objective": "plain", "activation": "relu", "output_activation": "linear"},
    "cross-entropy": {"objective": "denoising", "loss": "cross-entropy"},
}


def compare(x, **settings):
    model = aefeat.fit_arrow(x, hidden=12, batch_size=50, **settings)
    table = aefeat.transform_arrow(x, model, layout="list", reconstruction=True, score=True).read_all()

    def column(name):
        values = table[name].combine_chunks()
        flat = values.flatten() if hasattr(values, "flatten") else values
        return flat.to_numpy(zero_copy_only=False).reshape(len(x), -1)

    for got, want in [
        (model.encode(x), column("code")),
        (model.reconstruct(x), column("reconstruction")),
        (model.score(x)[:, None], column("score")),
    ]:
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6 * max(1, np.abs(want).max()))
    assert np.abs(model.encode(x)).max() > 0


@pytest.mark.parametrize("preprocess", ["none", "scale", "patch", "standardize", "zca"])
@pytest.mark.parametrize("objective", SETTINGS)
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_as_the_command(objective, preprocess):
    settings = dict(SETTINGS[objective])
    if preprocess in ("standardize", "zca"):
        if settings.get("loss") == "cross-entropy":
            pytest.skip("cross-entropy needs values in [0, 1]")
        settings["output_activation"] = "linear"
    compare(rows("float32" if preprocess == "none" else "uint8"), preprocess=preprocess, epochs=2, **settings)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_types_of_values(kind):
    compare(rows(kind), epochs=1)


@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_a_model_is_its_bytes(tmp_path):
    x = rows("uint8")
    model = aefeat.fit_arrow(x, hidden=4, epochs=1, checkpoint=tmp_path / "checkpoint")
    model.save(tmp_path / "model")
    assert aefeat.load(tmp_path / "model") == model
    assert pickle.loads(pickle.dumps(model)) == model
    assert aefeat.load(model.to_bytes()) == model
    np.testing.assert_array_equal(aefeat.load(tmp_path / "checkpoint").encode(x), model.encode(x))


def test_what_is_no_model(tmp_path):
    for content in [b"", b"PAR1" + bytes(100), (2).to_bytes(8, "little") + b"{}"]:
        with pytest.raises(ValueError, match="no model file"):
            aefeat.load(content)


@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_rows_that_do_not_fit():
    model = aefeat.fit_arrow(rows("uint8"), hidden=4, epochs=1)
    with pytest.raises(ValueError, match="rows of 36 values"):
        model.encode(np.zeros((2, 35)))
    with pytest.raises(ValueError, match="NaN"):
        model.encode(np.full((2, 36), np.nan))
    with pytest.raises(ValueError, match="outside 0 to 255"):
        model.encode(np.full((2, 36), 256))
