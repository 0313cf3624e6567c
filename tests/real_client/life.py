"""A run of the official client that lives as long as it is told to. Run as a script.

Reads one JSON command a line: {"do": "init" | "log" | "finish" | "die", ...}; answers each with the process ids of the
client's services, as a JSON list. `die` is what happens to a machine without power: neither the client nor its service
say goodbye.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import wandb

_services: list[int] = []


class _Remembered(subprocess.Popen[Any]):
    """A child whose id is known afterwards, if it is the client's service: the client keeps it to itself."""

    def __init__(self, command: Any, *args: Any, **options: Any) -> None:
        super().__init__(command, *args, **options)
        if "wandb-core" in str(command[0]):
            _services.append(self.pid)


def main(project: str) -> None:
    """Do as told until the input ends."""
    subprocess.Popen = _Remembered  # type: ignore[misc, assignment] # in its place for the client
    settings = wandb.Settings(x_disable_stats=True, console="off", x_file_stream_transmit_interval=1)
    for line in sys.stdin:
        command = json.loads(line)
        match command.pop("do"):
            case "init":
                wandb.init(project=project, settings=settings, **command)
            case "log":
                for row in command["rows"]:
                    wandb.log(row)
            case "finish":
                wandb.finish(**command)
            case "die":
                for service in _services:
                    os.kill(service, signal.SIGKILL)
                os._exit(0)
        sys.stdout.write(json.dumps(_services) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
