SELECT "key", list_sort(list(DISTINCT CAST(type AS VARCHAR))) AS types
FROM history
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
GROUP BY "key"
