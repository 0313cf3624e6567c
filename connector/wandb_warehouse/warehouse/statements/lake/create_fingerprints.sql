CREATE OR REPLACE TEMP TABLE fingerprints (
  "table" VARCHAR, entity VARCHAR, project VARCHAR, run_id VARCHAR, "rows" BIGINT, print VARCHAR
)
