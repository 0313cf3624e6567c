-- runs.reduce((best, run) =>
--   run-summary(run).accuracy > run-summary(best).accuracy ? run : best
-- )
SELECT
  kept."entity",
  kept."project",
  kept."run_id",
  kept."name",
  kept."state",
  kept."created_at"
FROM (
  SELECT
    r.entity,
    r.project,
    r.run_id,
    r.name,
    r.state,
    r.created_at,
    CASE
      WHEN COUNT(CASE WHEN s.kind IN ('number', 'bool') THEN 1 END) OVER () > 0
      THEN s.number
    END AS order_0,
    CASE
      WHEN NOT (
        COUNT(CASE WHEN s.kind IN ('number', 'bool') THEN 1 END) OVER () > 0
      )
      THEN s.text
    END AS order_1,
    r.created_at AS order_2,
    r.entity AS order_3,
    r.project AS order_4,
    r.run_id AS order_5
  FROM runs AS r
  LEFT JOIN summary_values AS s
    ON s.entity = r.entity
    AND s.project = r.project
    AND s.run_id = r.run_id
    AND s.key = 'accuracy'
  WHERE
    r.deleted_at IS NULL
    AND (
      NOT (
        s.number IS NULL
      ) OR NOT (
        s.text IS NULL
      )
    )
) AS kept
ORDER BY
  kept.order_0 DESC,
  kept.order_1 DESC,
  kept.order_2 ASC,
  kept.order_3 ASC,
  kept.order_4 ASC,
  kept.order_5 ASC
LIMIT 1;
