"""One run's history out of its values: rows are put together and sampled here, which a short history is quickest with.

It gives what the statement `history_rows` gives, which does for many runs, or a long history, what is done here.
"""

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["rows_of_points", "sampled_places"]


def sampled_places(total: int, samples: int) -> list[int]:
    """Give places of `samples` of `total` rows at equal distances, the first and the last among them.

    >>> sampled_places(10, 4), sampled_places(3, 5)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if total <= samples:
        return list(range(total))
    if samples == 1:
        return [0]
    return [-(-place * (total - 1) // (samples - 1)) for place in range(samples)]


def rows_of_points(points: pa.Table, samples: int, needed: int) -> pa.Table | None:
    """Give one run's rows by key, one line a value; a line without a key begins a row, its value is the step.

    Args:
        points: the run's values: key, step, seq, type, value, value_json.
        samples: rows at most.
        needed: values that a row must have.

    Returns:
        Columns row, run, key, type, value, value_json; None where a step has several rows: SQL puts those together.
    """
    points = points.combine_chunks()
    if len(points) and pc.max(points["seq"]).as_py():
        return None
    counts = points["step"].value_counts()
    steps, values = counts.field("values"), counts.field("counts")
    if needed > 1:
        steps = steps.filter(pc.greater_equal(values, needed))
    steps = steps.take(pc.sort_indices(steps))
    if len(steps) > samples:
        steps = steps.take(pa.array(sampled_places(len(steps), samples), pa.int64()))
    rows = pc.index_in(points["step"], value_set=steps)
    if rows.null_count:
        kept = pc.is_valid(rows)
        points, rows = points.filter(kept), rows.filter(kept)
    count, nothing = len(steps), pa.nulls(len(steps), pa.string())
    begun = [pa.array(range(count), pa.int64()), pa.repeat(0, count), nothing, pa.repeat("number", count)]
    begun += [steps.cast(pa.float64()), nothing]
    found = [rows.cast(pa.int64()), pa.repeat(0, len(points))]
    found += [points[name] for name in ("key", "type", "value", "value_json")]
    names = ["row", "run", "key", "type", "value", "value_json"]
    by_key = _in_order(pa.Table.from_arrays(found, names))
    return pa.concat_tables([pa.Table.from_arrays(begun, schema=by_key.schema), by_key])


def _in_order(table: pa.Table) -> pa.Table:
    """Rows by key and row; a warehouse has them so already, as a rule, but for the order of the keys."""
    keys = pc.run_end_encode(table["key"].combine_chunks()) if len(table) else None
    if keys is not None and len(pc.unique(keys.values)) == len(keys.values):
        row = table["row"].combine_chunks()
        falls = pc.less(row.slice(1), row.slice(0, len(row) - 1))
        ends = keys.run_ends.cast(pa.int64())
        # A row may be less than the one before it where a key begins, and nowhere else.
        if (
            pc.is_in(pc.add(pc.indices_nonzero(falls), 1).cast(pa.int64()), value_set=ends).true_count
            == falls.true_count
        ):
            return table
    return table.sort_by([("key", "ascending"), ("row", "ascending")])
