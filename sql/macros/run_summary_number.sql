-- macro: run_summary_number(run, dotted_key) -> double
-- mirrors: `run.summary[key]`
-- grain: one value per run
-- units: as written
--
-- The number, as JavaScript's `Number()` reads the value; null where the run lacks the key, and for what is no number.
-- The key is dotted where it was written nested: see `summary_values`, which it reads.
(
  SELECT entries.number
  FROM summary_values AS entries
  WHERE entries.entity = (run).entity
    AND entries.project = (run).project
    AND entries.run_id = (run).run_id
    AND entries."key" = dotted_key
)
