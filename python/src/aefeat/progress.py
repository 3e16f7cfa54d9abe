"""Progress of a running command, where somebody looks at it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Iterator

Event = dict[str, Any]


@contextlib.contextmanager
def shown(wanted: bool | None) -> Iterator[Callable[[Event], None] | None]:
    """Yield what to call with each event; None if nothing is to be shown.

    wanted None shows progress on terminals and in notebooks if tqdm is there.
    """
    if wanted is False or wanted is None and not (sys.stderr.isatty() or _notebook()):
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    bar = tqdm(unit=" rows", leave=False)

    def show(event: Event) -> None:
        if event["event"] not in ("progress", "epoch"):
            return
        if event.get("total_rows"):
            bar.total = event["total_rows"]
        if "epochs" in event:
            bar.set_description(f"epoch {event.get('epoch')}/{event['epochs']}", refresh=False)
        if event.get("total_cost") is not None:
            bar.set_postfix(cost=event["total_cost"], refresh=False)
        bar.n = event.get("rows") or 0
        bar.refresh()

    try:
        yield show
    finally:
        bar.close()


def _notebook() -> bool:
    return "ipykernel" in sys.modules
