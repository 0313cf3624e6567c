"""Addresses and keys."""

import copy
import pickle
import traceback

import pytest

from wandb_warehouse.client import Connection, Secret, is_private_host
from wandb_warehouse.client.connection import origin
from wandb_warehouse.errors import AuthError, ConfigError


def test_a_secret_is_shown_by_no_way_python_shows_things() -> None:
    """repr, str, format, containers, dataclasses and tracebacks with locals hide it; reveal() alone gives it."""
    value = "0123456789abcdef" * 2
    secret = Secret(value)
    connection = Connection("https://wandb.example", secret, "argument")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>60}", repr([secret]), repr(connection)]
    failure = ValueError(connection, secret)
    shown += traceback.TracebackException.from_exception(failure, capture_locals=True).format()
    shown.append(repr(failure))
    assert not [text for text in shown if value in text]
    assert secret.reveal() == value
    assert copy.deepcopy({"key": secret})["key"] == secret
    assert secret != Secret(value[::-1])
    with pytest.raises(TypeError):
        pickle.dumps(connection)


@pytest.mark.parametrize(
    ("given", "base", "where"),
    [
        ("https://api.wandb.ai/", "https://api.wandb.ai", "https://api.wandb.ai:443"),
        (" https://W.example:8443/api/wandb/ ", "https://W.example:8443/api/wandb", "https://w.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080", "http://[::1]:8080"),
        ("http://wandb.localhost:8080", "http://wandb.localhost:8080", "http://wandb.localhost:8080"),
    ],
)
def test_addresses_are_taken_in_one_spelling(given: str, base: str, where: str) -> None:
    """Slashes and spaces around an address do not matter; the origin holds scheme, host and port."""
    connection = Connection(given, Secret("k" * 40), "argument")
    assert (connection.base_url, connection.origin) == (base, where)


@pytest.mark.parametrize(
    "address",
    [
        "http://api.wandb.ai",
        "http://8.8.8.8",
        "http://10.1.2.3:8080",
        "http://wandb-local:8080",
        "http://127.0.0.1.evil.example",
        "https://user:pa55word@api.wandb.ai",
        "https://api.wandb.ai?key=pa55word",
        "https://api.wandb.ai#pa55word",
        "ftp://api.wandb.ai",
        "api.wandb.ai",
        "https://",
        "https://host:port",
        "https://[::1",
        "",
    ],
)
def test_addresses_that_would_endanger_the_key_are_refused(address: str) -> None:
    """Plain http to another machine, credentials in the address and what is no web address are exit 2, unquoted."""
    with pytest.raises(ConfigError) as caught:
        Connection(address, Secret("k" * 40), "argument")
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel", "tab\t"])
def test_keys_that_cannot_be_one_are_refused_unquoted(key: str) -> None:
    """A key with characters a header cannot carry is AuthError and says where it came from, not what it is."""
    with pytest.raises(AuthError, match="WANDB_API_KEY") as caught:
        Connection("https://api.wandb.ai", Secret(key), "WANDB_API_KEY")
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("2130706433", True),
        ("0x7f.0.0.1", True),
        ("10.0.0.8", True),
        ("172.16.3.4", True),
        ("172.32.3.4", False),
        ("192.168.1.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("2606:4700::1111", False),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("wandb.internal", True),
        ("internal.example", False),
        ("api.wandb.ai", False),
        ("storage.googleapis.com", False),
        ("8.8.8.8", False),
    ],
)
def test_private_hosts_are_told_by_name(host: str, private: bool) -> None:
    """Loopback, private, link-local and shared ranges in any spelling, and names no public DNS has."""
    assert is_private_host(host) is private


def test_origins_compare_whatever_the_spelling() -> None:
    """Default ports and capitals make no difference; another scheme, host or port does."""
    assert origin("https://Api.Wandb.ai/graphql") == origin("https://api.wandb.ai:443/x?y")
    others = ["http://api.wandb.ai", "https://api.wandb.ai:8443", "https://api.wandb.ai.evil.example"]
    assert origin("https://api.wandb.ai") not in [origin(other) for other in others]
