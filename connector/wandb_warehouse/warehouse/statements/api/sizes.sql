SELECT
  (SELECT count(*) FROM artifacts) AS artifacts,
  (SELECT count(*) FROM run_artifacts) AS edges
