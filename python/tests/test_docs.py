"""What the pages for users say in Python is true."""

import doctest
import os
import pathlib
import re

import numpy as np
import pytest

import aefeat

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("module", ["aefeat", "aefeat.estimator", "aefeat.network", "aefeat.streams", "aefeat._sources"])
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_docstrings(module):
    found = doctest.testmod(__import__(module, fromlist=["_"]))
    assert found.attempted > 0 and found.failed == 0


@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_the_page_for_python(tmp_path, monkeypatch):
    for name in ("pandas", "duckdb", "sklearn"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    text = "\n".join(blocks("python.md", "pycon"))
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/python.md", None, 0)
    found = doctest.DocTestRunner().run(test)
    assert found.attempted > 20 and found.failed == 0


@pytest.mark.parametrize("preprocess", ["scale", "patch", "standardize", "zca"])
@pytest.mark.parametrize("objective", ["sparse", "k-sparse"])
@pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
def test_the_snippet_of_the_model_file(tmp_path, objective, preprocess):
    (snippet,) = blocks("model-file.md", "python")
    names = {}
    exec(snippet, names)
    rows = np.random.default_rng(0).integers(0, 256, (300, 25), dtype=np.uint8)
    model = aefeat.fit_arrow(rows, hidden=8, epochs=1, objective=objective, preprocess=preprocess)
    model.save(tmp_path / "model.safetensors")
    want = aefeat.transform_arrow(rows, model, layout="list").read_all()["code"].combine_chunks().flatten().to_numpy().reshape(300, 8)
    np.testing.assert_allclose(names["encode"](tmp_path / "model.safetensors", rows), want, atol=1e-6 * np.abs(want).max())
