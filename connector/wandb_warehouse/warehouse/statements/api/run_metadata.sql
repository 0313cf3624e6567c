SELECT CAST(document AS VARCHAR) AS document
FROM run_metadata
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
