-- Runs of "expected" (what the server's index counts, by run and key) whose stored history has other numbers of values.
-- A key of which the index did not count what was read when it was read (`metrics` tells) cannot be compared.
SELECT entity, project, run_id, 'keys whose values are not as many as the server counts: ' || count(*)
  || ', e.g. ' || arg_min(format('{} ({} stored, {} counted)', "key", coalesce(found.stored_count, 0), told."count"), "key")
    AS detail
FROM expected AS told
LEFT JOIN stored_metrics AS found USING (entity, project, run_id, "key")
LEFT JOIN (SELECT entity, project, run_id, "key", "count" AS indexed, stored_count AS noted FROM metrics) AS noted
  USING (entity, project, run_id, "key")
WHERE coalesce(found.stored_count, 0) <> told."count"
  AND (told."count" = 0 OR noted.noted IS NULL OR noted.noted = noted.indexed OR noted.noted <> coalesce(found.stored_count, 0))
GROUP BY entity, project, run_id
