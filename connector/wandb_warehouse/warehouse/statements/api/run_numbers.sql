SELECT run_id, run_number
FROM run_numbers
WHERE entity = $$entity
  AND project = $$project
