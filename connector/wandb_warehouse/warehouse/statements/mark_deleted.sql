UPDATE runs
SET deleted_at = incoming.deleted_at
FROM incoming
WHERE runs.entity = incoming.entity
  AND runs.project = incoming.project
  AND runs.run_id = incoming.run_id
