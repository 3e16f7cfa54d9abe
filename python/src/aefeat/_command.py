"""The command as a child process: rows in, rows out, events beside them.

A child never outlives what it was started for. Whoever starts one calls
:meth:`Command.wait` for its end or :meth:`Command.stop` to end it.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from typing import IO, Any, Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from . import _binary
from .errors import AefeatError, AefeatWarning

Event = dict[str, Any]


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as flags: ``weight_decay=0.1`` as ``--weight-decay=0.1``.

    True and False turn a switch on and off, None stands for the default, and a
    list repeats the flag.
    """
    words = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if flag in _OURS:
            raise TypeError(f"{name} is no setting: where rows, features and events go is decided already")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, (bool, np.bool_)):
                words.append(f"{flag}={str(bool(one)).lower()}")
            elif one is not None:
                words.append(f"{flag}={os.fspath(one) if isinstance(one, os.PathLike) else one}")
    return words


_OURS = {"--output", "--o", "--model", "--m", "--format", "--progress", "--quiet", "--q", "--skip-existing", "--sweep"}


# An interrupt from the keyboard is for us, and we tell the child.
_APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}
)


class Sink:
    """The writing end of a pipe, as pyarrow writes to it.

    A write is whole, even if a signal comes. There is no buffer, and so no lock
    that a blocked write would hold.
    """

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._fd = file.fileno()

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._fd, left) :]
        return size

    def flush(self) -> None:
        pass


class Source:
    """The reading end of a pipe, as pyarrow reads from it: into memory of its own, without a copy."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> pa.Buffer:
        buffer = pa.allocate_buffer(size)
        view = memoryview(buffer)
        done = 0
        while done < size:
            got = self._file.readinto(view[done:])  # type: ignore[attr-defined]
            if not got:
                return buffer.slice(0, done)
            done += got
        return buffer


# What is running, to be ended when the interpreter does.
_running: weakref.WeakSet[Command] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for command in list(_running):
        command.kill()
        # A thread that is within pyarrow when the interpreter ends makes it crash.
        command.join(2)


class Command:
    """A running command, with pipes for its rows."""

    def __init__(
        self,
        arguments: Iterable[str],
        *,
        rows_in: bool = False,
        rows_out: bool = False,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._on_event = on_event
        self._error: Event | None = None
        self._warnings: list[Event] = []
        self._text: list[str] = []  # what is no event, such as a trace
        self._owner = os.getpid()
        self._feeder: threading.Thread | None = None
        self._feed_error: BaseException | None = None
        self.process = subprocess.Popen(
            [_binary.path(), *arguments, "--progress", "json"],
            stdin=subprocess.PIPE if rows_in else subprocess.DEVNULL,
            stdout=subprocess.PIPE if rows_out else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            **_APART,
        )
        self._listener = threading.Thread(target=self._listen, name="aefeat events", daemon=True)
        _running.add(self)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                _widen(pipe)
        try:
            self._listener.start()
        except BaseException:  # no thread left
            self.kill()
            raise

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with io.BufferedReader(self.process.stderr) as lines:  # type: ignore[type-var]
            for line in lines:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            self._text = [*self._text[-50:], line.decode(errors="replace").rstrip()]
            return
        if kind == "error":
            self._error = self._error or event
        elif kind == "warning":
            self._warnings.append(event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:  # a broken display is no reason to stop
                self._on_event = None

    def feed(self, reader: pa.RecordBatchReader) -> None:
        """Write all rows of reader, and their end, and close the pipe.

        If reader fails, the child ends without having seen an end of its rows.
        If the child ends first, its own error comes from :meth:`wait`. Nobody else
        closes this pipe: its number may be that of another file soon.
        """
        assert self.process.stdin is not None
        with self.process.stdin as pipe:
            try:
                self._write(reader, pa.PythonFile(Sink(pipe), mode="w"))
            except BaseException:
                self.interrupt()
                raise

    def start_feeding(self, reader: pa.RecordBatchReader) -> None:
        """Do as :meth:`feed` in a thread. What reader raises, :meth:`wait` raises."""

        def feed(reader: list[pa.RecordBatchReader]) -> None:
            try:
                self.feed(reader.pop())
            except BaseException as error:
                self._feed_error = error

        self._feeder = threading.Thread(target=feed, args=([reader],), name="aefeat rows", daemon=True)
        self._feeder.start()

    def join(self, patience: float) -> None:
        """Wait for the threads of a command that has ended.

        The source of the rows may not let go of its thread. This then ends with the
        next batch, which nobody takes.
        """
        if os.getpid() != self._owner or sys.is_finalizing():
            return
        for thread in (self._feeder, self._listener):
            if thread is not None and thread.ident is not None and thread is not threading.current_thread():
                thread.join(patience)

    def _write(self, reader: pa.RecordBatchReader, sink: pa.NativeFile) -> None:
        writer = pa.ipc.new_stream(sink, reader.schema)
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            try:
                writer.write_batch(batch)
            except OSError:  # the child is gone
                return
        with contextlib.suppress(OSError):
            writer.close()

    def wait(self) -> None:
        """Wait for the end of the command, and raise its error if it failed."""
        status = self.process.wait()
        self._listener.join()
        self.join(1)
        self._close()
        if self._feed_error is not None:
            raise self._feed_error
        told, self._warnings = self._warnings, []
        for event in told:
            _warn(AefeatWarning.of_event(event))
        if status == 0:
            return
        if self._error is not None:
            raise AefeatError.of_event(self._error, status)
        if sys.platform != "win32" and status == -signal.SIGKILL:
            raise AefeatError("the command was killed, perhaps for want of memory", code="killed", status=status)
        what = "\n".join(self._text) or f"the command ended with status {status}, without a word"
        raise AefeatError(what, code="killed" if status < 0 else "other", status=status)

    def interrupt(self, patience: float = 60) -> None:
        """Ask the command to end, and give it time, as for a checkpoint."""
        if os.getpid() != self._owner or self.process.poll() is not None:
            return
        try:
            if sys.platform == "win32":
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                self.process.terminate()
            self.process.wait(patience)
        except (subprocess.TimeoutExpired, OSError):
            pass
        finally:  # whoever is impatient interrupts a second time
            self.kill()

    def kill(self) -> None:
        """End the command at once, unless another process started it."""
        if os.getpid() == self._owner and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End the command, if it has not ended, and leave nothing behind.

        To be called by the thread that reads the rows, if any.
        """
        if self.process.stdout is not None:
            self.process.stdout.close()  # the child may be waiting to write
        self.interrupt(5)
        self.join(1)
        self._close()

    def _close(self) -> None:
        _running.discard(self)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a megabyte, where the system can do that: fewer turns."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, 1031, 1 << 20)  # F_SETPIPE_SZ


def _warn(warning: AefeatWarning) -> None:
    """Warn at the line outside of this package that has to do with it."""
    if sys.version_info >= (3, 12):
        warnings.warn(warning, skip_file_prefixes=(os.path.dirname(__file__),))
    else:
        warnings.warn(warning, stacklevel=4)
