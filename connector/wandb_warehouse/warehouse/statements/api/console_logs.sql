SELECT line, "time", "level", "label", "text"
FROM console_logs
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
QUALIFY CAST($$last AS BIGINT) IS NULL OR row_number() OVER (ORDER BY line DESC) <= CAST($$last AS BIGINT)
ORDER BY line
