-- runs.groupBy(r => run-createdAt(r).toDateString())
SELECT
  t.group_value AS "key",
  CAST(COUNT(*) AS DOUBLE) AS "count"
FROM (
  SELECT
    r.*,
    STRFTIME(r.created_at AT TIME ZONE 'UTC', '%a %b %d %Y') AS group_value,
    ROW_NUMBER() OVER (ORDER BY r.created_at ASC, r.entity ASC, r.project ASC, r.run_id ASC) AS place_t
  FROM runs AS r
  WHERE
    r.deleted_at IS NULL
) AS t
GROUP BY
  t.group_value
ORDER BY
  MIN(t.place_t) ASC;
