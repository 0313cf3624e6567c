"""What no text of ours may show: keys in any of their spellings, and the signatures of signed addresses.

Errors are scrubbed where they are raised, logs by a filter; what is left (a traceback that `--debug` prints) is
redacted as text.
"""

import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

from wandb_warehouse.errors import WarehouseError

__all__ = ["guard_logs", "hide", "redact", "scrub"]

_SHOWN = "***"
_SHORTEST = 8
"""Characters of a text worth hiding; a shorter one would tear up ordinary words."""

_hidden: set[str] = set()

_SIGNATURE = re.compile(
    r"(?P<name>\b(?:X-(?:Amz|Goog)-[A-Za-z-]+|Signature|AWSAccessKeyId|GoogleAccessId|Key-Pair-Id)"
    r"|(?:[?&;]|%3F|%26)(?:sig|token|Policy))(?P<sign>=|%3D|%253D)[^&;\s\"'<>\\)\]}]+",
    re.IGNORECASE,
)
"""Parameters that make an address a key to a file, at S3, Google, Azure and CloudFront; their names stay."""


def hide(secret: str) -> None:
    """Let `redact` take out a text from now on: as it is, quoted for an address, and as Basic authorization."""
    if len(secret) >= _SHORTEST:
        pairs = (b64encode(f"{user}:{secret}".encode()).decode() for user in ("api", "user", ""))
        spellings = {secret, quote(secret, safe=""), b64encode(secret.encode()).decode(), *pairs}
        _hidden.update(spellings, (quote(each, safe="") for each in spellings))


def redact(text: str) -> str:
    """Take out of a text every hidden one, and the values of signatures.

    >>> redact("GET https://store.example/a.parquet?X-Amz-Signature=5ec4e7&part=1")
    'GET https://store.example/a.parquet?X-Amz-Signature=***&part=1'
    """
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, _SHOWN)
    return _SIGNATURE.sub(rf"\g<name>\g<sign>{_SHOWN}", text)


def scrub(error: BaseException) -> None:
    """Redact, in place, the words of an error and of those it came from: whoever logs or stores it shows them all."""
    for each in _chain(error):
        if isinstance(each, WarehouseError):
            each.what, each.mend = redact(each.what), redact(each.mend)
        each.args = tuple(redact(part) if isinstance(part, str) else part for part in each.args)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


class _Redaction(logging.Filter):
    """Redacts records: message, arguments and traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


_FILTER = _Redaction()
_HTTP = ("httpx", "httpcore")
_GUARDED = (
    "wandb_warehouse",
    "dlt",
    *_HTTP,
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)
"""Loggers through which a request or an error of ours may pass; a filter is not inherited by a logger's children."""


def guard_logs() -> None:
    """Redact what is logged, and keep the INFO lines of the HTTP libraries out: they hold whole addresses."""
    for name in _GUARDED:
        logging.getLogger(name).addFilter(_FILTER)
    for name in _HTTP:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
