-- baseline = runs[0]
-- similar = runs.filter(r =>
--   Math.abs(run-summary(r).accuracy - run-summary(baseline).accuracy) < 0.01 &&
--   run-config(r).model_type !== run-config(baseline).model_type
-- )
SELECT
  r.entity,
  r.project,
  r.run_id,
  r.name,
  r.state,
  r.created_at
FROM runs AS r
LEFT JOIN summary_values AS s
  ON s.entity = r.entity
  AND s.project = r.project
  AND s.run_id = r.run_id
  AND s.key = 'accuracy'
LEFT JOIN (
  SELECT
    r2.*
  FROM runs AS r2
  WHERE
    r2.deleted_at IS NULL
  ORDER BY
    r2.created_at ASC,
    r2.entity ASC,
    r2.project ASC,
    r2.run_id ASC
  LIMIT 1
) AS f
  ON TRUE
LEFT JOIN summary_values AS s2
  ON s2.entity = f.entity
  AND s2.project = f.project
  AND s2.run_id = f.run_id
  AND s2.key = 'accuracy'
LEFT JOIN config_values AS c
  ON c.entity = r.entity
  AND c.project = r.project
  AND c.run_id = r.run_id
  AND c.key = 'model_type'
LEFT JOIN config_values AS c2
  ON c2.entity = f.entity
  AND c2.project = f.project
  AND c2.run_id = f.run_id
  AND c2.key = 'model_type'
LEFT JOIN (
  SELECT DISTINCT
    entity,
    project,
    run_id
  FROM config_values
  WHERE
    SUBSTRING(key, 1, 11) = 'model_type.'
) AS c3
  ON c3.entity = r.entity AND c3.project = r.project AND c3.run_id = r.run_id
LEFT JOIN (
  SELECT DISTINCT
    entity,
    project,
    run_id
  FROM config_values
  WHERE
    SUBSTRING(key, 1, 11) = 'model_type.'
) AS c4
  ON c4.entity = f.entity AND c4.project = f.project AND c4.run_id = f.run_id
WHERE
  r.deleted_at IS NULL
  AND (
    COALESCE(NULLIF(ABS(s.number - s2.number), CAST('NaN' AS DOUBLE)) < 0.01, FALSE)
    AND NOT (
      COALESCE(
        CASE
          WHEN CASE WHEN NOT c3.run_id IS NULL THEN 'object' ELSE NULLIF(c.kind, 'null') END IS NULL
          AND CASE WHEN NOT c4.run_id IS NULL THEN 'object' ELSE NULLIF(c2.kind, 'null') END IS NULL
          THEN TRUE
          WHEN CASE WHEN NOT c3.run_id IS NULL THEN 'object' ELSE NULLIF(c.kind, 'null') END IS NOT DISTINCT FROM CASE WHEN NOT c4.run_id IS NULL THEN 'object' ELSE NULLIF(c2.kind, 'null') END
          THEN COALESCE(
            CASE CASE WHEN NOT c3.run_id IS NULL THEN 'object' ELSE NULLIF(c.kind, 'null') END
              WHEN 'number'
              THEN c.number = c2.number
              WHEN 'list'
              THEN ERROR('=== of two lists or objects asks for their identity, which SQL does not know')
              WHEN 'object'
              THEN ERROR('=== of two lists or objects asks for their identity, which SQL does not know')
              ELSE c.json IS NOT DISTINCT FROM c2.json
            END,
            FALSE
          )
          ELSE FALSE
        END,
        FALSE
      )
    )
  )
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
