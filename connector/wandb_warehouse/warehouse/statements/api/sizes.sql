SELECT
  (SELECT count(*) FROM artifacts) AS artifacts,
  (SELECT count(*) FROM run_artifacts) AS edges,
  (SELECT count(*) FROM runs WHERE deleted_at IS NULL) AS runs
