"""Lists of objects that are made page by page, as the public API makes them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["Pages"]

T = TypeVar("T")


class Pages(Iterator[T], ABC, Generic[T]):
    """An iterator over objects that are made of the warehouse's rows when they are reached.

    It begins anew with every `for`, and knows its length without making the objects.

    Args:
        per_page: objects made at a time.

    Source: `wandb.apis.paginator.SizedPaginator`.
    """

    def __init__(self, per_page: int = 50) -> None:
        self.per_page = per_page
        self.objects: list[T] = []
        """Objects made so far."""
        self.index = -1
        """Place of the object that was given last."""
        self.variables: dict[str, Any] = {}
        self._rows: Sequence[Any] | None = None
        self._page: Sequence[Any] | None = None
        self._read = 0

    @abstractmethod
    def _find(self) -> Sequence[Any]:
        """Give the rows of all objects, in order."""

    @abstractmethod
    def _convert(self, row: Any) -> T | None:
        """Make the object of a row; None leaves it out."""

    def _found(self) -> Sequence[Any]:
        if self._rows is None:
            self._rows = self._find()
        return self._rows

    @property
    def length(self) -> int | None:
        """Number of objects."""
        return len(self)

    @property
    def more(self) -> bool:
        """Whether there are objects that were not made yet; True before the first page."""
        return self._page is None or self._read < len(self._found())

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, an opaque text; None before the first page and where there is no object."""
        return str(self._read) if self._page else None

    def update_variables(self) -> None:
        """Note in `variables` where the next page begins and how long it is."""
        self.variables.update({"perPage": self.per_page, "cursor": self.cursor})

    def convert_objects(self) -> list[T]:
        """Make the objects of the last page."""
        made = (self._convert(row) for row in self._page or ())
        return [each for each in made if each is not None]

    def _load_page(self) -> bool:
        if not self.more:
            return False
        self.update_variables()
        self._page = self._found()[self._read : self._read + max(self.per_page, 1)]
        self._read += len(self._page)
        self.objects.extend(self.convert_objects())
        return True

    def __len__(self) -> int:
        if self._page is None:  # as the public API, which learns of the length with the first page
            self._load_page()
        return len(self._found())

    def __iter__(self) -> Self:
        self.index = -1
        return self

    def __next__(self) -> T:
        self.index += 1
        while len(self.objects) <= self.index:
            if not self._load_page():
                raise StopIteration
        return self.objects[self.index]

    next = __next__

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        last = index.stop if isinstance(index, slice) else index
        # An index from the end, or a slice without an end, needs them all.
        while (last is None or last < 0 or last >= len(self.objects)) and self._load_page():
            pass
        return self.objects[index]
