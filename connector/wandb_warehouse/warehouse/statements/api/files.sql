SELECT "name", size, md5, mimetype, updated_at
FROM files
WHERE entity = $$entity
  AND project = $$project
  AND run_id = $$run
ORDER BY "name"
