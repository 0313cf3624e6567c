-- Values of some metrics of one run's history, in a window of steps.
SELECT "key", step, seq, type, "value", value_json
FROM $source
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
  AND list_contains($$keys, "key")
  AND step >= $$low
  AND step < $$high
