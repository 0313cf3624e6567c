-- model = run-loggedArtifactVersion(run, "model:latest")
-- if (model) {
--   console.log(`Model version: ${model.version}`)
--   console.log(`Model size: ${model.size}`)
-- }
SELECT
  CASE
    WHEN NOT f2.artifact_id IS NULL
    THEN NULLIF(
      CONCAT_WS(
        '
',
        COALESCE('Model version: ' || COALESCE(f2.version, 'undefined'), 'undefined'),
        COALESCE(
          'Model size: ' || COALESCE(
            CASE
              WHEN f2.size = CAST('Infinity' AS DOUBLE)
              THEN 'Infinity'
              WHEN f2.size = CAST('-Infinity' AS DOUBLE)
              THEN '-Infinity'
              ELSE CASE
                WHEN ABS(f2.size) < 1000000000000000.0 AND f2.size = FLOOR(f2.size)
                THEN CAST(CAST(f2.size AS BIGINT) AS TEXT)
                WHEN ABS(f2.size) >= 0.0001 AND ABS(f2.size) < 1000000000000000.0
                THEN CAST(CAST(f2.size AS DOUBLE) AS TEXT)
                WHEN NOT f2.size IS NULL
                THEN ERROR('a number as small or as large is written differently by SQL and by JavaScript')
              END
            END,
            'undefined'
          ),
          'undefined'
        )
      ),
      ''
    )
  END AS "value"
FROM (
  SELECT
    1 AS one
) AS one_row
LEFT JOIN (
  SELECT
    e.artifact_entity AS artifact_entity,
    e.artifact_project AS artifact_project,
    e.artifact_id AS artifact_id,
    e.collection AS collection,
    e.version AS version,
    e.type AS type,
    a.size AS size,
    a.digest AS digest,
    a.state AS state,
    a.description AS description,
    a.metadata AS metadata,
    a.created_at AS created_at
  FROM (
    SELECT
      1 AS one
  ) AS one_row
  LEFT JOIN (
    SELECT
      r.*
    FROM runs AS r
    WHERE
      r.deleted_at IS NULL AND r.run_id = 'r1'
    ORDER BY
      r.created_at ASC,
      r.entity ASC,
      r.project ASC,
      r.run_id ASC
    LIMIT 1
  ) AS f
    ON TRUE
  INNER JOIN run_artifacts AS e
    ON e.entity = f.entity AND e.project = f.project AND e.run_id = f.run_id
  LEFT JOIN artifacts AS a
    ON a.entity = e.artifact_entity
    AND a.project = e.artifact_project
    AND a.collection = e.collection
    AND a.artifact_id = e.artifact_id
  WHERE
    e.direction = 'logged'
    AND e.collection = 'model'
    AND (
      e.version = 'latest'
      OR EXISTS(
        SELECT
          1
        FROM artifact_aliases AS l
        WHERE
          l.entity = e.artifact_entity
          AND l.project = e.artifact_project
          AND l.collection = e.collection
          AND l.artifact_id = e.artifact_id
          AND l.alias = 'latest'
      )
    )
  ORDER BY
    e.collection ASC,
    e.version_index ASC,
    e.artifact_id ASC
  LIMIT 1
) AS f2
  ON TRUE;
