-- Values of the histories of some runs in a window of steps, of all their metrics or of `keys`.
SELECT run_id AS run, "key", step, seq, type, "value", value_json
FROM $source
WHERE entity = $$entity
  AND project = $$project
  AND list_contains($$runs, run_id)
  AND (len($$keys) = 0 OR list_contains($$keys, "key"))
  AND step >= $$low
  AND step < $$high
