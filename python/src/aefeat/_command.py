"""The command as a child process: rows in, rows out, events beside them.

A child never outlives what it was started for. Whoever starts one calls
:meth:`Command.wait` for its end or :meth:`Command.stop` to end it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from typing import Any, Callable, Iterable, Mapping

import pyarrow as pa

from . import _binary
from .errors import AefeatError, AefeatWarning

Event = dict[str, Any]


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as flags: ``weight_decay=0.1`` as ``--weight-decay=0.1``.

    True is a switch that is on. False and None are left out, and a list repeats
    the flag.
    """
    words = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True:
                words.append(flag)
            elif one is not None and one is not False:
                words.append(f"{flag}={one}")
    return words


class _Pipe:
    """The writing end of a pipe. A write is whole, even if a signal comes.

    There is no buffer, and so no lock that a blocked write would hold.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    closed = False

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._fd, left) :]
        return size

    def flush(self) -> None:
        pass


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
        self.done: Event | None = None
        self.process = subprocess.Popen(
            [_binary.path(), *arguments, "--progress", "json"],
            stdin=subprocess.PIPE if rows_in else subprocess.DEVNULL,
            stdout=subprocess.PIPE if rows_out else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # An interrupt from the keyboard is for us, and we tell the child.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._listener = threading.Thread(target=self._listen, name="aefeat events", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
                kind = event["event"]
            except (ValueError, KeyError, TypeError):
                self._text = [*self._text[-50:], line.decode(errors="replace").rstrip()]
                continue
            if kind == "error":
                self._error = self._error or event
            elif kind == "warning":
                self._warnings.append(event)
            elif kind == "done":
                self.done = event
            if self._on_event is not None:
                try:
                    self._on_event(event)
                except Exception:  # a broken display is no reason to stop
                    self._on_event = None

    def feed(self, reader: pa.RecordBatchReader) -> None:
        """Write all rows of reader, and their end.

        If reader fails, the child ends without having seen the end of its rows.
        If the child ends first, its own error comes from :meth:`wait`.
        """
        assert self.process.stdin is not None
        try:
            sink = pa.PythonFile(_Pipe(self.process.stdin.fileno()), mode="w")
            writer = pa.ipc.new_stream(sink, reader.schema)
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
                try:
                    writer.write_batch(batch)
                except (BrokenPipeError, ConnectionError, OSError, ValueError):
                    self._close_input()
                    return
            try:
                writer.close()
            except (BrokenPipeError, ConnectionError, OSError, ValueError):
                pass
        except BaseException:
            self.process.terminate()
            raise
        self._close_input()

    def _close_input(self) -> None:
        try:
            if self.process.stdin is not None:
                self.process.stdin.close()
        except OSError:
            pass

    def wait(self) -> None:
        """Wait for the end of the command, and raise its error if it failed."""
        status = self.process.wait()
        self._listener.join()
        self._close()
        for event in self._warnings:
            text = "\n".join([event.get("message", ""), *("hint: " + h for h in event.get("hints") or ())])
            warnings.warn(text, AefeatWarning, stacklevel=3)
        self._warnings = []
        if status == 0:
            return
        if self._error is not None:
            raise AefeatError.of_event(self._error, status)
        what = "\n".join(self._text) or f"the command ended with status {status}, without a word"
        if status == -signal.SIGKILL if sys.platform != "win32" else False:
            what = "the command was killed, perhaps for want of memory"
        raise AefeatError(what, code="killed" if status < 0 else "other", status=status)

    def interrupt(self, patience: float = 60) -> None:
        """Ask the command to end, and give a fit time to write its checkpoint."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        self.stop()

    def stop(self) -> None:
        """End the command at once. It leaves nothing behind.

        To be called by the thread that reads the rows, if any.
        """
        if self.process.poll() is None:
            self.process.terminate()
            if self.process.stdout is not None:
                self.process.stdout.close()  # it may be waiting to write
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if threading.current_thread() is not self._listener:
            self._listener.join()
        self._close()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                if stream is not None:
                    stream.close()
            except (OSError, ValueError):
                pass
