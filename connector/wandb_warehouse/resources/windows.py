"""Live history rows of many runs, read whole through windows of steps.

The server answers a window with at most `samples` rows, silently samples when there are more, and may cap `samples`
below what was asked. So an answer that reaches the limit is cut in two and asked again, and so are the largest answers
of a run whose rows are not as many as the server counts, or whose count it does not say: a cap shows itself as the
largest answer, and an answer below it is whole. Cuts go through the middle of the rows that came, not of the steps:
a window sampled evenly falls into even halves however its steps are spread.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wandb_warehouse.arrow.rows import index_rows
from wandb_warehouse.client import WandbClient, Window

__all__ = ["Span", "read_spans"]

_SAMPLES = 10_000
_ROWS_PER_PIECE = 5_000  # half of what is asked for: an uneven spread of steps rarely needs a second round
_ROWS_PER_REQUEST = 20_000
_PIECES_PER_REQUEST = 50


@dataclass(frozen=True, slots=True)
class Span:
    """The steps [start, stop) of one run; `rows` expected there, 0 where the server does not say."""

    run_id: str
    start: int
    stop: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Piece:
    span: Span
    start: int
    stop: int

    def cut(self, parts: int) -> "Iterator[_Piece]":
        width = self.stop - self.start
        parts = max(1, min(parts, width))
        edges = [self.start + width * n // parts for n in range(parts + 1)]
        return (_Piece(self.span, a, b) for a, b in pairwise(edges))

    def halves(self, rows: Sequence[str]) -> "tuple[_Piece, _Piece]":
        """Cut where the rows that came have their middle."""
        steps, _ = index_rows(rows)
        middle = steps[len(steps) // 2].as_py()
        middle = min(max(middle, self.start + 1), self.stop - 1)
        return _Piece(self.span, self.start, middle), _Piece(self.span, middle, self.stop)

    @property
    def divisible(self) -> bool:
        """Whether it holds more than one step."""
        return self.stop - self.start > 1

    @property
    def weight(self) -> int:
        """Rows to expect if they are spread evenly: only fills requests evenly."""
        return 1 + self.span.rows * (self.stop - self.start) // max(1, self.span.stop - self.span.start)


async def read_spans(
    client: WandbClient, entity: str, project: str, spans: Sequence[Span]
) -> dict[str, list[str]]:
    """Read every row of each span.

    Returns:
        The rows by run id, as JSON texts in the order of their steps. Fewer than `rows` only where the server gives
        fewer however it is asked: the caller compares and decides. A window of n rows costs some 4 n / cap windows.
    """
    answers: dict[_Piece, list[str]] = {}
    most: dict[str, int] = {}
    """The most rows one answer gave, by run: an answer with fewer was not sampled."""
    pending = [
        piece
        for span in spans
        if span.stop > span.start
        for piece in _Piece(span, span.start, span.stop).cut(-(-span.rows // _ROWS_PER_PIECE))
    ]
    while pending:
        got = await _ask(client, entity, project, pending)
        answers |= got
        for piece, rows in got.items():
            most[piece.span.run_id] = max(most.get(piece.span.run_id, 0), len(rows))
        full = [piece for piece, rows in got.items() if len(rows) >= _SAMPLES and piece.divisible]
        suspects = full or _suspects(answers, most)
        pending = [half for piece in suspects for half in piece.halves(answers.pop(piece))]
    found: dict[str, list[str]] = {span.run_id: [] for span in spans}
    for piece in sorted(answers, key=lambda piece: piece.start):
        found[piece.span.run_id].extend(answers[piece])
    return found


def _suspects(answers: dict[_Piece, list[str]], most: dict[str, int]) -> list[_Piece]:
    """Pieces that may have been sampled: the largest answers of each run whose rows are not as many as counted."""
    totals: Counter[str] = Counter()
    for piece, rows in answers.items():
        totals[piece.span.run_id] += len(rows)
    return [
        piece
        for piece, rows in answers.items()
        if piece.divisible
        and len(rows) > 1
        and len(rows) == most[piece.span.run_id]
        and totals[piece.span.run_id] != piece.span.rows
    ]


async def _ask(
    client: WandbClient, entity: str, project: str, pieces: Sequence[_Piece]
) -> dict[_Piece, list[str]]:
    async def one(batch: list[_Piece]) -> list[list[str]]:
        windows = [Window(piece.span.run_id, piece.start, piece.stop, _SAMPLES) for piece in batch]
        return await client.history_rows(entity, project, windows)

    batches = list(_batched(pieces))
    answers = await asyncio.gather(*map(one, batches))
    return {
        piece: rows
        for batch, lists in zip(batches, answers, strict=True)
        for piece, rows in zip(batch, lists, strict=True)
    }


def _batched(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    weight = 0
    for piece in pieces:
        if batch and (weight + piece.weight > _ROWS_PER_REQUEST or len(batch) >= _PIECES_PER_REQUEST):
            yield batch
            batch, weight = [], 0
        batch.append(piece)
        weight += piece.weight
    if batch:
        yield batch
