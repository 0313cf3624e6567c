-- config1 = run-config(run1)
-- config2 = run-config(run2)
-- diff = compareConfigs(config1, config2)
SELECT
  d.e0_value AS "key",
  CAST(d.e1_json AS JSON) AS "left",
  CAST(d.e2_json AS JSON) AS "right",
  d.e3_value AS "differs"
FROM (
  SELECT
    c.key AS e0_value,
    MAX(
      CASE
        WHEN c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
        THEN c.kind
      END
    ) AS e1_kind,
    MAX(
      CASE
        WHEN c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
        THEN c.number
      END
    ) AS e1_number,
    MAX(
      CASE
        WHEN c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
        THEN c.text
      END
    ) AS e1_text,
    MAX(
      CASE
        WHEN c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
        THEN c.json
      END
    ) AS e1_json,
    MAX(
      CASE
        WHEN c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
        THEN c.kind
      END
    ) AS e2_kind,
    MAX(
      CASE
        WHEN c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
        THEN c.number
      END
    ) AS e2_number,
    MAX(
      CASE
        WHEN c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
        THEN c.text
      END
    ) AS e2_text,
    MAX(
      CASE
        WHEN c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
        THEN c.json
      END
    ) AS e2_json,
    NULLIF(
      MAX(
        CASE
          WHEN c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
          THEN c.json
        END
      ),
      'null'
    ) IS DISTINCT FROM NULLIF(
      MAX(
        CASE
          WHEN c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
          THEN c.json
        END
      ),
      'null'
    ) AS e3_value
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
  LEFT JOIN (
    SELECT
      r2.*
    FROM runs AS r2
    WHERE
      r2.deleted_at IS NULL AND r2.run_id = 'r2'
    ORDER BY
      r2.created_at ASC,
      r2.entity ASC,
      r2.project ASC,
      r2.run_id ASC
    LIMIT 1
  ) AS f2
    ON TRUE
  INNER JOIN config_values AS c
    ON (
      c.entity = f.entity AND c.project = f.project AND c.run_id = f.run_id
    )
    OR (
      c.entity = f2.entity AND c.project = f2.project AND c.run_id = f2.run_id
    )
  GROUP BY
    c.key
) AS d
ORDER BY
  d.e0_value ASC;
