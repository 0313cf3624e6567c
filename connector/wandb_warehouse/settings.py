"""The only reader of the environment, netrc and `.dlt`: what to sync, where to, and with which key.

For each value the first place that has it wins: argument, environment, netrc (the key only),
`.dlt/secrets.toml`, `.dlt/config.toml`, default. An empty variable counts as not set. W&B's own settings file
is not read.
"""

import netrc
import os
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.errors import AuthError, ConfigError

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_LAKE",
    "DEFAULT_WAREHOUSE",
    "Settings",
    "api_address",
    "app_address",
    "load_settings",
    "parse_warehouse",
    "resolve_connection",
]

DEFAULT_BASE_URL = "https://api.wandb.ai"
DEFAULT_WAREHOUSE = Path("wandb.duckdb")
DEFAULT_LAKE = Path("wandb-lake")
_PIPELINE = ("pipelines", "wandb_warehouse")
"""Where dlt looks for what concerns our pipeline alone."""
_PLACEHOLDER = "set me up"
"""The key in `.dlt/secrets.example.toml`."""


@dataclass(frozen=True)
class Settings:
    """What to sync and where to, as far as environment and configuration say."""

    warehouse: Path | str = DEFAULT_WAREHOUSE
    """Path of the DuckDB file or of the lake, or the lake's address (`WANDB_WAREHOUSE`, or as dlt is configured)."""
    entity: str | None = None
    """Team or user (`WANDB_ENTITY`)."""
    project: str | None = None
    """Project (`WANDB_PROJECT`)."""
    projects: tuple[str, ...] = field(default=())
    """What to sync when nothing is named: `entity/project` or `entity` (`.dlt/config.toml`)."""
    destination: str | None = None
    """`duckdb` or `filesystem` (dlt's `destination_type`); None where nothing is configured."""
    publish_every: float | None = None
    """Seconds after which a sync publishes and goes on, 0 for at the end only (`.dlt/config.toml`)."""


def load_settings(destination: str | None = None) -> Settings:
    """Settings from environment and `.dlt`; ConfigError where a file there is wrong.

    Args:
        destination: `duckdb` or `filesystem` where the command names one; the warehouse's default depends on it.
    """
    projects = _dlt("config.toml").get("projects", [])
    if not isinstance(projects, list) or not all(_is_path(entry) for entry in projects):
        raise ConfigError(
            f"projects in {_dlt_dir() / 'config.toml'} is not a list of paths",
            mend='write it like projects = ["my-team/my-project"]',
        )
    destination = destination or _configured_destination()
    return Settings(
        warehouse=parse_warehouse(_environment("WANDB_WAREHOUSE") or _configured_warehouse(destination)),
        destination=destination,
        entity=_environment("WANDB_ENTITY"),
        project=_environment("WANDB_PROJECT"),
        projects=tuple(projects),
        publish_every=_configured_seconds("publish_every"),
    )


def parse_warehouse(text: str) -> Path | str:
    """A warehouse as it was written: an address (`s3://...`) as it is, anything else as a path."""
    return text if "://" in text else Path(text).expanduser()


def resolve_connection(*, base_url: str | None = None, api_key: str | None = None) -> Connection:
    """Base address and key of W&B; AuthError without a key, ConfigError for an address that cannot be used.

    Precedence: argument, `WANDB_API_KEY` and `WANDB_BASE_URL`, netrc (this host's entry alone; `NETRC` moves
    the file), `.dlt/secrets.toml`, `.dlt/config.toml`, https://api.wandb.ai.
    """
    url = api_address(base_url)
    key, source = _find_key(url, api_key)
    return Connection(url, Secret(key), source)


def api_address(base_url: str | None = None) -> str:
    """Base address of W&B's API without a slash at the end, whether there is a key for it or not.

    Precedence: argument, `WANDB_BASE_URL`, `.dlt/secrets.toml`, `.dlt/config.toml`, https://api.wandb.ai.
    """
    url = base_url or _environment("WANDB_BASE_URL") or _configured_base() or DEFAULT_BASE_URL
    return url.rstrip("/")


def app_address(base_url: str) -> str:
    """Address of the pages that people look at, without a slash at the end; `WANDB_APP_URL` may name another one.

    >>> app_address("https://api.wandb.ai"), app_address("https://api.example.com")
    ('https://wandb.ai', 'https://app.example.com')
    """
    if configured := _environment("WANDB_APP_URL"):
        return configured.strip("/")
    pages = "://" if "://api.wandb." in base_url and "://api.wandb.test" not in base_url else "://app."
    return base_url.replace("://api.", pages, 1).rstrip("/")


def _find_key(url: str, argument: str | None) -> tuple[str, str]:
    if argument:
        return argument, "argument"
    if key := _environment("WANDB_API_KEY"):
        return key, "WANDB_API_KEY"
    host = _host(url)
    if key := _netrc_key(host):
        return key, "netrc"
    configured = _dlt("secrets.toml").get("api_key")
    if configured and isinstance(configured, str) and configured != _PLACEHOLDER:
        return configured, ".dlt/secrets.toml"
    raise AuthError(
        f"there is no W&B key for {host}",
        mend="set WANDB_API_KEY, or add the host to netrc, or set api_key in .dlt/secrets.toml",
    )


def _configured_base() -> str | None:
    for name in ("secrets.toml", "config.toml"):
        url = _dlt(name).get("base_url")
        if url is None or url == "":
            continue
        if not isinstance(url, str):
            raise ConfigError(f"base_url in {_dlt_dir() / name} is not text", mend="write it in quotes")
        return url
    return None


def _configured_destination() -> str | None:
    found = _configured("destination_type", _PIPELINE, _PIPELINE[:1], ())
    if found is None:
        return None
    name = found.rpartition(".")[2]  # dlt also takes `dlt.destinations.filesystem`
    if name not in _DESTINATION_PLACES:
        raise ConfigError(
            f"destination_type {found!r} is not one wandb-warehouse writes to",
            mend=f"choose one of {', '.join(_DESTINATION_PLACES)}, or set it for another pipeline only",
        )
    return name


def _configured_warehouse(destination: str | None) -> str:
    name, default = _DESTINATION_PLACES[destination or "duckdb"]
    found = _configured(name, ("destination", destination or "duckdb"))
    return found.removeprefix("duckdb:///") if found else str(default)


_DESTINATION_PLACES = {
    "duckdb": ("credentials", DEFAULT_WAREHOUSE),
    "filesystem": ("bucket_url", DEFAULT_LAKE),
}
"""Each destination's place: the name dlt has for it in `[destination.<destination>]`, and the default."""


def _configured_seconds(name: str) -> float | None:
    found = _dlt("config.toml").get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < float("inf"):
        raise ConfigError(
            f"{name} in {_dlt_dir() / 'config.toml'} is no number of seconds",
            mend=f"write it like {name} = 60, or 0 for never",
        )
    return float(found)


def _configured(name: str, *places: tuple[str, ...]) -> str | None:
    """A value as dlt looks it up: environment, `secrets.toml`, `config.toml`, in each the first place that has it."""
    for place in places:
        if value := _environment("__".join((*place, name)).upper()):
            return value
    for file in ("secrets.toml", "config.toml"):
        for place in places:
            value = _dlt(file, place).get(name)
            if isinstance(value, str) and value:
                return value
            if value is not None and not isinstance(value, dict):
                where = f"{'.'.join((*place, name))} in {_dlt_dir() / file}"
                raise ConfigError(f"{where} is not text", mend="write it in quotes")
    return None


def _netrc_key(host: str) -> str | None:
    path = Path(_environment("NETRC") or "~/.netrc").expanduser()
    if not path.is_file():
        return None
    try:
        # The `default` entry is for any host, and a key is for one: only the host's own entry counts.
        entry = netrc.netrc(path).hosts.get(host)
        shared = os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", mend="mend the file, or set WANDB_API_KEY") from error
    except netrc.NetrcParseError as error:
        what, mend = (
            f"line {error.lineno} of {path} is not valid netrc",
            "mend the file, or set WANDB_API_KEY",
        )
        raise ConfigError(what, mend=mend) from None  # its text quotes the file, and with it the key
    if entry is None or not entry[2]:
        return None
    if shared:
        raise ConfigError(f"{path} holds a key and can be read by others", mend=f"run chmod 600 {path}")
    return entry[2]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""  # Connection refuses the address, with the reason


def _dlt_dir() -> Path:
    return Path(_environment("DLT_PROJECT_DIR") or ".") / ".dlt"


def _dlt(name: str, place: tuple[str, ...] = ("sources", "wandb")) -> dict[str, Any]:
    """A table of a file of `.dlt`; empty where there is none."""
    path = _dlt_dir() / name
    if not path.is_file():
        return {}
    try:
        section: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML", mend="mend the file") from error
    for key in place:
        section = section.get(key, {}) if isinstance(section, dict) else {}
    return section if isinstance(section, dict) else {}


def _is_path(entry: object) -> bool:
    return isinstance(entry, str) and bool(entry) and entry.count("/") <= 1 and all(entry.split("/"))


def _environment(name: str) -> str | None:
    return os.environ.get(name) or None
