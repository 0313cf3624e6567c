SELECT run_id
FROM console_logs
WHERE entity = $$entity
  AND project = $$project
LIMIT 1
