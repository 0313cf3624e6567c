"""Where W&B is and the key to it: checked once, and never shown."""

import hmac
import ipaddress
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from wandb_warehouse.client.redaction import hide
from wandb_warehouse.errors import AuthError, ConfigError

__all__ = ["Connection", "Secret", "is_private_host", "origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


class Secret:
    """A text that is given out by `reveal()` only: not by repr, str, format, pickle or a copied `__dict__`.

    >>> f"{Secret('0123456789abcdef')!r}"
    "Secret('***')"
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        hide(value)

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: dict[int, object]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        what = "a Secret is not written to files or sent to other processes"
        raise TypeError(what)


@dataclass(frozen=True)
class Connection:
    """Base address of a W&B server and the key for it, with the place the key came from.

    Raises ConfigError for an address that cannot be used (plain http is for this machine only)
    and AuthError for a key that cannot be one.
    """

    base_url: str
    api_key: Secret
    key_source: str
    """Where the key came from: `argument`, `WANDB_API_KEY`, `netrc` or `.dlt/secrets.toml`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_base(self.base_url))
        key = self.api_key.reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise AuthError(
                f"the key from {self.key_source} is empty or holds characters no W&B key has",
                mend="copy it again from the settings page of your W&B account",
            )

    @property
    def origin(self) -> str:
        """Scheme, host and port: the one place the key may be sent to."""
        return origin(self.base_url)

    @property
    def host(self) -> str:
        """Host name without the port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_private(self) -> bool:
        """Whether the host is this machine or one of a private network, by its name."""
        return is_private_host(self.host)


def is_private_host(host: str) -> bool:
    """Whether a host name or literal address means this machine or a private network; nothing is resolved.

    >>> [is_private_host(host) for host in ("127.0.0.1", "10.1.2.3", "wandb-local", "api.wandb.ai", "8.8.8.8")]
    [True, True, True, False, False]
    """
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        last = name.rpartition(".")[2]
        # "127.1", "0x7f.1" and "2130706433" are loopback to the system's resolver; no public name ends in a
        # number.
        return "." not in name or last[:1].isdigit() or name.endswith(_PRIVATE_SUFFIXES)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return not address.ipv4_mapped.is_global
    return not address.is_global


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def origin(url: str) -> str:
    """Scheme, host and port of an absolute address, in one spelling.

    >>> origin("https://API.wandb.ai/graphql")
    'https://api.wandb.ai:443'
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)}"


def _checked_base(url: str) -> str:
    mend = "set WANDB_BASE_URL to something like https://api.wandb.ai"
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises where the port is no number
    except ValueError as error:
        raise ConfigError("the base address of W&B is not a web address", mend=mend) from error
    # The address is not quoted before this point: it may hold a password.
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError("the base address of W&B holds more than scheme, host, port and path", mend=mend)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigError(f"the base address of W&B, {url.strip()!r}, is not a web address", mend=mend)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigError(
            f"the base address of W&B, {url.strip()!r}, would send the key unencrypted",
            mend="use https, or reach the server by a tunnel on localhost",
        )
    return _spelled(parts)


def _spelled(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
