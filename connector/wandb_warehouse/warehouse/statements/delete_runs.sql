DELETE FROM "$table" AS kept
USING touched
WHERE kept.entity = touched.entity
  AND kept.project = touched.project
  AND kept.run_id = touched.run_id
