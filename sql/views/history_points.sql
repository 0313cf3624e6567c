-- view: history_points
-- mirrors: `run.scan_history()`, one value a row, every value also as JavaScript reads it
-- grain: one row per logged value
-- units: as logged
--
-- `kind` is number, bool, string, list, object or null. `number` is what JavaScript's `Number()` gives: a bool is 1 or 0, a
-- string the number that its text reads as (decimal; an empty one is 0); null for what is no number, for NaN, null, lists
-- and objects. `text` is the string of a string, null for other kinds. `json` is the value as JSON: NaN and infinities are
-- the bare words, a whole number has no point, -0 is 0. Runs that were deleted have rows too, as in `history`.
SELECT
  entity,
  project,
  run_id,
  "key",
  step,
  seq,
  kind,
  CASE kind
    WHEN 'number' THEN CASE WHEN NOT isnan("value") THEN "value" END
    WHEN 'bool' THEN "value"
    WHEN 'string' THEN CASE
      WHEN trimmed = '' THEN 0
      WHEN regexp_matches(trimmed, '^[+-]?(Infinity|([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?)$') THEN TRY_CAST(trimmed AS DOUBLE)
    END
  END AS number,
  "text",
  CASE kind
    WHEN 'number' THEN CASE
      WHEN isnan("value") THEN 'NaN'
      WHEN "value" > 1.7976931348623157e308 THEN 'Infinity'
      WHEN "value" < -1.7976931348623157e308 THEN '-Infinity'
      WHEN abs("value") <= 9007199254740992 AND "value" = floor("value") THEN CAST(CAST("value" AS BIGINT) AS TEXT)
      ELSE CAST("value" AS TEXT)
    END
    WHEN 'bool' THEN CASE WHEN "value" = 1 THEN 'true' ELSE 'false' END
    WHEN 'null' THEN 'null'
    ELSE CAST(value_json AS TEXT)
  END AS json
FROM (
  SELECT
    *,
    -- What JavaScript takes for white space: five controls, and the spaces between the last quotes.
    CASE
      WHEN regexp_matches("text", '^[!-~]+$') THEN "text"
      ELSE TRIM("text", CHR(9) || CHR(10) || CHR(11) || CHR(12) || CHR(13) || '                  　﻿')
    END AS trimmed
  FROM (
    SELECT
      entity,
      project,
      run_id,
      "key",
      step,
      seq,
      CASE
        WHEN "type" <> 'json' THEN "type"
        WHEN CAST(value_json AS TEXT) LIKE '[%' THEN 'list'
        WHEN CAST(value_json AS TEXT) LIKE '{%' THEN 'object'
      END AS kind,
      CASE WHEN "type" = 'string' THEN value_json ->> '$' END AS "text",
      "value",
      value_json
    FROM history
  ) AS decoded
) AS readable
