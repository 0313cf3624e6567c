-- Values of one run's history in a window of steps, of all its metrics or of `keys`.
SELECT "key", step, seq, type, "value", value_json
FROM $source
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
  AND (len($$keys) = 0 OR list_contains($$keys, "key"))
  AND step >= $$low
  AND step < $$high
