-- runs.groupBy(r => run-summary(r).state).count()
SELECT
  CAST(t.group_json AS JSON) AS "key",
  CAST(COUNT(*) AS DOUBLE) AS "count"
FROM (
  SELECT
    r.*,
    NULLIF(
      CASE
        WHEN CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN NOT s2.run_id IS NULL
          ELSE FALSE
        END
        THEN 'object'
        ELSE CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN s.kind
          ELSE CASE WHEN NOT r.state IS NULL THEN 'string' END
        END
      END,
      'null'
    ) AS group_kind,
    CASE WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL THEN s.number END AS group_number,
    CASE WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL THEN s.text ELSE r.state END AS group_text,
    CASE
      WHEN CASE
        WHEN CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN NOT s2.run_id IS NULL
          ELSE FALSE
        END
        THEN 'object'
        ELSE CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN s.kind
          ELSE CASE WHEN NOT r.state IS NULL THEN 'string' END
        END
      END = 'null'
      THEN NULL
      ELSE CASE
        WHEN CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN NOT s2.run_id IS NULL
          ELSE FALSE
        END
        THEN CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN CAST(r.summary -> '/state' AS TEXT)
        END
        ELSE CASE
          WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL
          THEN s.json
          ELSE CAST(TO_JSON(r.state) AS TEXT)
        END
      END
    END AS group_json,
    ROW_NUMBER() OVER (ORDER BY r.created_at ASC, r.entity ASC, r.project ASC, r.run_id ASC) AS place_t
  FROM runs AS r
  LEFT JOIN summary_values AS s
    ON s.entity = r.entity
    AND s.project = r.project
    AND s.run_id = r.run_id
    AND s.key = 'state'
  LEFT JOIN (
    SELECT DISTINCT
      entity,
      project,
      run_id
    FROM summary_values
    WHERE
      SUBSTRING(key, 1, 6) = 'state.'
  ) AS s2
    ON s2.entity = r.entity AND s2.project = r.project AND s2.run_id = r.run_id
  WHERE
    r.deleted_at IS NULL
) AS t
GROUP BY
  t.group_kind,
  t.group_json
ORDER BY
  MIN(t.place_t) ASC;
