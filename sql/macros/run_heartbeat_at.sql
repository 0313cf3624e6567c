-- macro: run_heartbeat_at(run) -> timestamp
-- mirrors: `run.heartbeat_at`
-- grain: one value per run
-- units: time
--
-- Last sign of life of the writer.
run.heartbeat_at
