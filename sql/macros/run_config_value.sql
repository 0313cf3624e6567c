-- macro: run_config_value(run, dotted_key) -> text
-- mirrors: `run.config[key]`
-- grain: one value per run
-- units: as written
--
-- The value as JSON text; null where the run lacks the key, and the text `null` where it is null.
-- The key is dotted where it was written nested: see `config_values`, which it reads.
(
  SELECT entries.json
  FROM config_values AS entries
  WHERE entries.entity = (run).entity
    AND entries.project = (run).project
    AND entries.run_id = (run).run_id
    AND entries."key" = dotted_key
)
