SELECT run_id, state, expected_rows, stored_rows, stored_values, sampled_values, last_step
FROM run_ledger
WHERE entity = $$entity
  AND project = $$project
