"""Fit and transform streams of rows, in bounded memory.

Rows go to the command batch by batch as Arrow streams and come back in the same
way. Settings are the flags of the command with underscores: ``weight_decay=0.1``
stands for ``--weight-decay 0.1``, True for a flag without a value, a list for
one that is repeated. ``aefeat fit --help-all`` lists them.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any, Iterator

import pyarrow as pa

from . import _sources, progress as _progress
from ._command import Command, Source, flags
from .errors import AefeatError
from .network import Model, load

ModelLike = Model | bytes | str | os.PathLike[str]


def fit_arrow(
    data: Any = None,
    *,
    column: str | list[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Model:
    """Fit a model to rows and return it.

    Args:
        data: anything that holds rows; see :func:`aefeat.reader`. It is read once.
            A path of a Parquet or Arrow file, or a list of paths: the command
            reads these by itself. With resume, None stands for the files that the
            fit began with.
        column: the column with the patches, or several with a number each. None:
            the one that can hold patches.
        checkpoint: a file that keeps the state of the fit. An interrupt from the
            keyboard writes a last one.
        resume: the checkpoint to go on from; data have to be the same rows. Only
            few settings may stand beside it.
        progress: show it. None: where somebody looks at it.
        settings: the command's, such as ``hidden=196`` or ``objective="denoising"``.

    Raises:
        AefeatError: what the command says is wrong.
        TypeError, ValueError: data hold no rows of numbers.
        Exception: whatever data raise while they are read. There is no model then.
    """
    arguments = flags({**settings, "column": column, "checkpoint": checkpoint, "resume": resume})
    reader, operands = (None, []) if data is None and resume is not None else _rows(data)
    with tempfile.TemporaryDirectory(prefix="aefeat-") as folder:
        output = os.path.join(folder, "model.safetensors")
        with _progress.shown(progress) as show:
            command = Command(["fit", "-o", output, *arguments, *operands], rows_in=reader is not None, on_event=show)
            try:
                if reader is not None:
                    command.feed(reader)
                command.wait()
            except BaseException:
                command.interrupt()
                raise
            finally:
                command.stop()
        return load(output)


def transform_arrow(
    data: Any,
    model: ModelLike,
    *,
    column: str | list[str] | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> pa.RecordBatchReader:
    """Add the features of a model to rows.

    Rows come back in order as they are read from the result, with memory for a
    few batches. Whoever drops the result before its end ends the work.

    Args:
        data: anything that holds rows; see :func:`aefeat.reader`. A path of a
            Parquet or Arrow file, or a list of paths: the command reads these by
            itself.
        model: a model, its bytes or its path.
        column: the column with the patches. None: the one of the fit.
        progress: show it. None: where somebody looks at it.
        settings: the command's, such as ``layout="list"`` or ``keep="label"``.

    Raises:
        AefeatError: what the command says is wrong, also from the result when
            the row at fault is reached.
        TypeError, ValueError: data hold no rows of numbers.
        Exception: whatever data raise while they are read, from the result.

    >>> import aefeat, numpy as np
    >>> X = np.random.default_rng(0).random((200, 16))
    >>> model = aefeat.fit_arrow(X, hidden=4, epochs=40, batch_size=20)
    >>> [batch.num_rows for batch in aefeat.transform_arrow(X, model, score=True)]
    [200]
    """
    reader, operands = _rows(data)
    batches = _transformed(reader, model, [*flags({**settings, "column": column}), *operands], progress)
    del reader
    schema = next(batches)
    assert isinstance(schema, pa.Schema)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _rows(data: Any) -> tuple[pa.RecordBatchReader | None, list[str]]:
    """Return a reader of data and what stands for it on a command line."""
    paths = data if isinstance(data, (list, tuple)) else [data]
    if not paths or not all(isinstance(path, (str, os.PathLike)) for path in paths):
        return _sources.reader(data), ["-"]
    names = [os.fspath(path) for path in paths]
    return None, [os.path.join(os.curdir, name) if name.startswith("-") else name for name in names]


def _transformed(reader: pa.RecordBatchReader | None, model: ModelLike, arguments: list[str], progress: bool | None) -> Iterator[Any]:
    """Yield the schema of the result and then its batches."""
    with model_file(model) as path, _progress.shown(progress) as show:
        command = Command(
            ["transform", "-m", path, "--format", "stream", *arguments],
            rows_in=reader is not None,
            rows_out=True,
            on_event=show,
        )
        try:
            if reader is not None:
                command.start_feeding(reader)
                del reader  # whoever reads it last lets go of it
            assert command.process.stdout is not None
            try:
                stream = pa.ipc.open_stream(pa.PythonFile(Source(command.process.stdout), mode="r"))
                yield stream.schema
                yield from stream
            except (pa.ArrowInvalid, OSError) as error:
                # A stream that is cut short says less than the command does.
                command.wait()
                raise AefeatError(f"what the command wrote cannot be read: {error}") from error
            command.wait()
        finally:
            command.stop()


class model_file:
    """The path of a model, for as long as the context lasts."""

    def __init__(self, model: ModelLike) -> None:
        self._model = model
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> str:
        if isinstance(self._model, (str, os.PathLike)):
            return os.fspath(self._model)
        self._folder = tempfile.TemporaryDirectory(prefix="aefeat-")
        path = os.path.join(self._folder.name, "model.safetensors")
        with open(path, "wb") as f:
            f.write(self._model if isinstance(self._model, bytes) else self._model.to_bytes())
        return path

    def __exit__(self, *_: Any) -> None:
        if self._folder is not None:
            self._folder.cleanup()
