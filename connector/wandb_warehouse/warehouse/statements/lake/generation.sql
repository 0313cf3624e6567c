SELECT max(generation) FROM sync_log
