-- macro: run_config(run) -> json
-- mirrors: `run.config`
-- grain: one value per run
-- units: as written
--
-- Without W&B's own entries; nested, as it was written. `run_config_value` gives one key.
run.config
