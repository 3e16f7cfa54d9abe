"""Progress of a running command, where somebody looks at it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Iterator

Event = dict[str, Any]


@contextlib.contextmanager
def shown(wanted: bool | None) -> Iterator[Callable[[Event], None] | None]:
    """Yield what to call with each event; None if nothing is to be shown.

    wanted None shows progress on terminals and in notebooks. It takes tqdm for
    that, or rich, and shows nothing if neither is there.
    """
    if wanted is False or wanted is None and not (_terminal() or "ipykernel" in sys.modules):
        yield None
        return
    for bar in (_tqdm, _rich):
        with contextlib.ExitStack() as stack:
            try:
                show = stack.enter_context(bar())
            except ImportError:
                continue
            yield lambda event: show(event) if event["event"] in ("progress", "epoch") else None
            return
    yield None


def _terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextlib.contextmanager
def _tqdm() -> Iterator[Callable[[Event], None]]:
    from tqdm.auto import tqdm

    # Its own rate would be that of the counter, which goes back with each epoch.
    layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} rows [{elapsed}{postfix}]"
    with tqdm(bar_format=layout, unit_scale=True, leave=False) as bar:

        def show(event: Event) -> None:
            bar.total = event.get("total_rows") or None
            bar.set_description(_phase(event), refresh=False)
            told = {"rows/s": event.get("rows_per_second"), "cost": event.get("total_cost")}
            bar.set_postfix({name: value for name, value in told.items() if value is not None}, refresh=False)
            bar.n = event.get("rows") or 0
            bar.refresh()

        yield show


@contextlib.contextmanager
def _rich() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, what="")

        def show(event: Event) -> None:
            rows, total = event.get("rows") or 0, event.get("total_rows") or None
            what = f"{rows:,} rows"
            if event.get("total_cost") is not None:
                what += f", cost {event['total_cost']:.4g}"
            bar.update(task, completed=rows, total=total, description=_phase(event), what=what)

        yield show


def _phase(event: Event) -> str:
    return f"epoch {event.get('epoch')}/{event['epochs']}" if event.get("epochs") else str(event.get("phase") or "")
