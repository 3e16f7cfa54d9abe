"""What goes wrong, as the command tells it."""

from __future__ import annotations

from typing import Any, Sequence


class AefeatError(RuntimeError):
    """An error of the command.

    Attributes:
        code: a stable code, such as ``"patch.null"``. docs/machine.md lists them.
        message: what is wrong, with file, column and row.
        file: the file, or None. Rows from this process are ``"standard input"``.
        column: the column, or None.
        row: the row, counted from 0, or None.
        hints: what to do about it.
        status: the exit status of the command.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "other",
        file: str | None = None,
        column: str | None = None,
        row: int | None = None,
        hints: Sequence[str] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(message, *hints)
        self.code = code
        self.message = message
        self.file = file
        self.column = column
        self.row = row
        self.hints = tuple(hints)
        self.status = status

    def __str__(self) -> str:
        return "\n".join([self.message, *("hint: " + hint for hint in self.hints)])

    def __reduce__(self) -> tuple[Any, ...]:
        # The keywords, too, have to survive a way through another process.
        return _rebuild, (self.message, {k: v for k, v in self.__dict__.items() if k != "message"})

    @classmethod
    def of_event(cls, event: dict[str, Any], status: int | None) -> AefeatError:
        """The error of an ``error`` event of the command."""
        return cls(
            str(event.get("message") or "unknown error"),
            code=str(event.get("code") or "other"),
            file=event.get("file"),
            column=event.get("column"),
            row=event.get("row"),
            hints=event.get("hints") or (),
            status=status,
        )


def _rebuild(message: str, attributes: dict[str, Any]) -> AefeatError:
    return AefeatError(message, **attributes)


class AefeatWarning(UserWarning):
    """A warning of the command: something that may have spoilt the result.

    Attributes:
        code: a stable code, such as ``"fit.dead"``. docs/machine.md lists them.
        message: what is the matter.
        hints: what to do about it.
    """

    def __init__(self, message: str, *, code: str = "other", hints: Sequence[str] = ()) -> None:
        super().__init__("\n".join([message, *("hint: " + hint for hint in hints)]))
        self.code = code
        self.message = message
        self.hints = tuple(hints)

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> AefeatWarning:
        """The warning of a ``warning`` event of the command."""
        return cls(str(event.get("message") or ""), code=str(event.get("code") or "other"), hints=event.get("hints") or ())
