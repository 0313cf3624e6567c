CREATE OR REPLACE TEMP TABLE "$table" (
  "table" VARCHAR, file VARCHAR, entity VARCHAR, project VARCHAR, run_id VARCHAR, "rows" BIGINT
)
