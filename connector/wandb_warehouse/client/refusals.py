"""What a refused request means: status codes and GraphQL errors to errors of this package, as tables."""

import re
from collections.abc import Sequence
from typing import Any

from wandb_warehouse.client.retry import RateLimitedError, TooHeavyError, TooLargeError, UnknownFieldError
from wandb_warehouse.errors import AuthError, FatalRemoteError, RetriableRemoteError, WarehouseError

__all__ = ["body_words", "graphql_refusal", "status_refusal"]

_LATER = "run the sync again later"
_KEY = "set WANDB_API_KEY to a key of this server"
_ACCESS = "ask the owner of the project for access"
_REPORT = "report it with the server's version"
_ADDRESS = "check that the base address (WANDB_BASE_URL) is the API's"

Kind = tuple[type[WarehouseError], str]

_STATUS: dict[int, Kind] = {
    400: (FatalRemoteError, _REPORT),
    401: (AuthError, _KEY),
    403: (AuthError, _ACCESS),
    404: (FatalRemoteError, _ADDRESS),
    405: (FatalRemoteError, _ADDRESS),
    409: (FatalRemoteError, _REPORT),
    410: (FatalRemoteError, _ADDRESS),
    413: (TooLargeError, _REPORT),
    422: (FatalRemoteError, _REPORT),
    429: (RateLimitedError, _LATER),
    501: (FatalRemoteError, _REPORT),
    504: (TooHeavyError, _LATER),
}
_REDIRECT: Kind = (FatalRemoteError, "set WANDB_BASE_URL to where the API really is")
_OTHER: Kind = (RetriableRemoteError, _LATER)

_GRAPHQL: tuple[tuple[str, Kind], ...] = (
    (r"cannot query field|unknown (argument|type|field)", (UnknownFieldError, _REPORT)),
    (r"not logged in|unauthenticated|invalid api key", (AuthError, _KEY)),
    (r"permission|unauthori[sz]ed|forbidden|access denied", (AuthError, _ACCESS)),
    (r"rate limit|too many requests", (RateLimitedError, _LATER)),
    (r"deadline exceeded|timed? ?out", (TooHeavyError, _LATER)),
    (r"too large|payload size|message size", (TooLargeError, _REPORT)),
    (
        r"internal (server )?error|unavailable|try again|connection (reset|refused)",
        (RetriableRemoteError, _LATER),
    ),
)
"""First match wins, over the extension's code and the message."""

_FIELD = re.compile(r"""cannot query field ["'](\w+)["']""", re.IGNORECASE)


def status_refusal(status: int, detail: str, errors: Sequence[Any]) -> WarehouseError:
    """The error for a status other than 2xx; `detail` are the body's words, `errors` its GraphQL errors."""
    if status == 400 and errors:
        return graphql_refusal(errors)
    kind, mend = _REDIRECT if 300 <= status < 400 else _STATUS.get(status, _OTHER)
    return kind(f"W&B answered {status}{': ' if detail else ''}{detail}", mend=mend)


def graphql_refusal(errors: Sequence[Any]) -> WarehouseError:
    """The error for the `errors` of a GraphQL answer, whatever its status; partial data is never used."""
    texts = [text for text in map(_text, errors) if text]
    message = "; ".join(dict.fromkeys(texts))[:500] or "an error without words"
    searched = " ".join([message, *map(_code, errors)])
    kind, mend = next(
        (kind for pattern, kind in _GRAPHQL if re.search(pattern, searched, re.IGNORECASE)),
        (FatalRemoteError, _REPORT),
    )
    what = f"W&B refused the query: {message}"
    if kind is UnknownFieldError:
        found = _FIELD.search(message)
        return UnknownFieldError(what, mend=mend, field=found.group(1) if found else None)
    return kind(what, mend=mend)


def body_words(body: Any) -> tuple[str, Sequence[Any]]:
    """The words of an error body in either form W&B uses, and its GraphQL errors."""
    if not isinstance(body, dict):
        return "", ()
    errors = body.get("errors")
    errors = errors if isinstance(errors, list) else ()
    single = body.get("error")
    words = [_text(single)] if single else [_text(error) for error in errors]
    return "; ".join(word for word in words if word)[:500], errors


def _text(error: Any) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""
