SELECT id FROM lake_manifest
