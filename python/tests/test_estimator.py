"""The transformer, with scikit-learn and without."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import aefeat

pytestmark = pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
ROWS = np.random.default_rng(0).random((600, 16), dtype=np.float32)
SMALL = {"n_hidden": 5, "max_iter": 2, "batch_size": 50}


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def fitted():
    return aefeat.Autoencoder(**SMALL).fit(ROWS)


def test_check_estimator(sklearn):
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(aefeat.Autoencoder())


def test_attributes(fitted):
    assert fitted.n_features_in_ == 16 and fitted.n_iter_ == 2
    assert fitted.components_.shape == (5, 16)
    assert fitted.loss_ == fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert list(fitted.get_feature_names_out()) == [f"autoencoder{i}" for i in range(5)]


def test_transform_is_that_of_the_command(fitted):
    table = aefeat.transform_arrow(ROWS, fitted.model_, layout="list").read_all()
    want = table["code"].combine_chunks().flatten().to_numpy().reshape(-1, 5)
    got = fitted.transform(ROWS)
    assert got.dtype == np.float32 and got.tobytes() == want.tobytes()
    np.testing.assert_array_equal(aefeat.Autoencoder(**SMALL).fit_transform(ROWS), got)


@pytest.mark.parametrize("preprocess", ["scale", "standardize", "zca"])
def test_inverse_transform(preprocess):
    model = aefeat.Autoencoder(n_hidden=30, max_iter=200, objective="plain", preprocess=preprocess, weight_decay=0, settings={"no_contrast": preprocess == "zca" or None}).fit(ROWS)
    back = model.inverse_transform(model.transform(ROWS))
    assert back.shape == ROWS.shape
    assert np.square(back - ROWS).mean() < 0.5 * ROWS.var()  # in the units of the data
    with pytest.raises(ValueError, match="30 values"):
        model.inverse_transform(ROWS)


def test_score_samples(fitted):
    scores = fitted.score_samples(ROWS)
    assert scores.shape == (600,) and (scores <= 0).all()
    np.testing.assert_allclose(scores, -fitted.model_.score(ROWS), rtol=1e-5)


def test_a_seed_gives_equal_bytes(fitted):
    other = aefeat.Autoencoder(**SMALL).fit(ROWS)
    assert other.model_ == fitted.model_
    assert aefeat.Autoencoder(**SMALL, random_state=1).fit(ROWS).model_ != fitted.model_
    two = [aefeat.Autoencoder(**SMALL, random_state=np.random.RandomState(3)).fit(ROWS).model_ for _ in range(2)]
    assert two[0] == two[1]


def test_pickle(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(ROWS), fitted.transform(ROWS))


def test_images(fitted):
    model = aefeat.Autoencoder(**SMALL).fit(ROWS.reshape(-1, 4, 4))
    assert model.n_features_in_ == 16
    np.testing.assert_array_equal(model.transform(ROWS.reshape(-1, 4, 4)), fitted.transform(ROWS))


def test_frames():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    sklearn = pytest.importorskip("sklearn")
    names = [f"x{i}" for i in range(16)]
    for frame in (pandas.DataFrame(ROWS, columns=names), polars.DataFrame(ROWS, schema=names)):
        model = aefeat.Autoencoder(**SMALL).fit(frame)
        if isinstance(frame, polars.DataFrame) and tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9):
            continue  # it does not know the names of columns of polars 2
        assert list(model.feature_names_in_) == names
        assert model.transform(frame).shape == (600, 5)
        with pytest.raises(ValueError, match="feature names"):
            model.transform(frame[names[::-1]])
    model.fit(pa.table(frame.to_arrow()))
    assert not hasattr(model, "feature_names_in_")
    assert model.transform(pa.table(frame.to_arrow())).shape == (600, 5)


def test_a_column_of_lists():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": range(600), "patch": list(ROWS)})
    for data in (frame, pa.Table.from_pandas(frame), iter(pa.Table.from_pandas(frame).to_batches(max_chunksize=90))):
        model = aefeat.Autoencoder(**SMALL, column="patch").fit(data)
        assert model.n_features_in_ == 16
        assert model.transform(frame).shape == (600, 5)


def test_set_output(sklearn):
    for kind in ("pandas", "polars"):
        pytest.importorskip(kind)
        out = aefeat.Autoencoder(**SMALL).set_output(transform=kind).fit_transform(ROWS)
        assert type(out).__module__.startswith(kind)
        assert list(out.columns) == [f"autoencoder{i}" for i in range(5)]


def test_in_a_search_of_several_processes(sklearn):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    columns = make_column_transformer((aefeat.Autoencoder(**SMALL), slice(0, 12)), ("passthrough", slice(12, 16)))
    pipeline = make_pipeline(columns, LogisticRegression())
    search = GridSearchCV(pipeline, {"columntransformer__autoencoder__n_hidden": [3, 4]}, n_jobs=2, cv=2)  # two processes
    search.fit(ROWS, ROWS[:, 0] > 0.5)
    h = search.best_params_["columntransformer__autoencoder__n_hidden"]
    assert search.best_estimator_[0].transform(ROWS).shape == (600, h + 4)


def test_sparse_is_refused(sklearn):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="[Ss]parse"):
        aefeat.Autoencoder(**SMALL).fit(sparse.csr_matrix(ROWS))


def test_errors_of_the_command():
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.Autoencoder(n_hidden=5, objective="dense").fit(ROWS)
    assert caught.value.code == "usage.value"


ALONE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sklearn", "pandas", "polars", "scipy", "tqdm", "rich", "duckdb"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import pickle, warnings
import numpy as np, aefeat
warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((600, 16), dtype=np.float32)
model = aefeat.Autoencoder(n_hidden=5, max_iter=2, batch_size=50)
print(model)
codes = model.fit_transform(X)
assert codes.shape == (600, 5) and model.score_samples(X).shape == (600,) and model.inverse_transform(codes).shape == X.shape
assert model.get_params()["n_hidden"] == 5 and model.set_params(n_hidden=4).n_hidden == 4
assert list(model.get_feature_names_out())[0] == "autoencoder0"
assert (pickle.loads(pickle.dumps(model)).transform(X) == codes).all()
for bad in (X[:, :3], X[0]):
    try:
        model.transform(bad)
    except ValueError as error:
        print(error)
try:
    aefeat.Autoencoder().transform(X)
except ValueError as error:
    print(error)
"""


def test_without_scikit_learn():
    path = str(pathlib.Path(aefeat.__file__).parents[1])
    run = subprocess.run([sys.executable, "-c", ALONE], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "Autoencoder(batch_size=50, max_iter=2, n_hidden=5)",
        "X has 3 features, but Autoencoder is expecting 16 features as input",
        "Expected 2D array, got 1D array instead. Reshape your data.",
        "This Autoencoder instance is not fitted yet. Call 'fit' first.",
    ]


def test_streams_do_not_import_scikit_learn():
    code = "import sys, aefeat; assert 'sklearn' not in sys.modules and 'Autoencoder' in dir(aefeat)"
    path = str(pathlib.Path(aefeat.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True)
