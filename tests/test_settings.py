"""Where base address, key and defaults come from."""

import subprocess
import sys
from pathlib import Path

import pytest

from wandb_warehouse.errors import AuthError, ConfigError
from wandb_warehouse.settings import Settings, load_settings, resolve_connection

ARGUMENT, ENVIRONMENT, NETRC, SECRETS = ("a" * 40, "e" * 40, "n" * 40, "s" * 40)


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No variable, no netrc, no `.dlt`: each test sets what it needs."""
    for name in ("API_KEY", "BASE_URL", "WAREHOUSE", "ENTITY", "PROJECT"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    for name in ("NETRC", "DLT_PROJECT_DIR", "DESTINATION_TYPE", "DESTINATION__FILESYSTEM__BUCKET_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dlt").mkdir()
    return tmp_path


def write_netrc(path: Path, host: str = "api.wandb.ai", mode: int = 0o600) -> None:
    """A netrc with an entry for a host, and one for any host."""
    path.write_text(f"machine {host}\n  login user\n  password {NETRC}\ndefault login x password wrong\n")
    path.chmod(mode)


def write_secrets(home: Path, key: str = SECRETS) -> None:
    """A `.dlt/secrets.toml` with a key."""
    (home / ".dlt" / "secrets.toml").write_text(f'[sources.wandb]\napi_key = "{key}"\n')


def test_the_first_place_that_has_a_key_wins(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, environment, netrc, secrets.toml: taking the first away each time shows the next; then AuthError."""
    write_secrets(empty_home)
    write_netrc(empty_home / ".netrc")
    monkeypatch.setenv("WANDB_API_KEY", ENVIRONMENT)
    found = [resolve_connection(api_key=ARGUMENT), resolve_connection()]
    monkeypatch.setenv("WANDB_API_KEY", "")
    found.append(resolve_connection())
    (empty_home / ".netrc").unlink()
    found.append(resolve_connection())
    assert [(c.api_key.reveal(), c.key_source) for c in found] == [
        (ARGUMENT, "argument"),
        (ENVIRONMENT, "WANDB_API_KEY"),
        (NETRC, "netrc"),
        (SECRETS, ".dlt/secrets.toml"),
    ]
    write_secrets(empty_home, "set me up")
    with pytest.raises(AuthError, match="WANDB_API_KEY") as caught:
        resolve_connection()
    assert "api.wandb.ai" in str(caught.value)


def test_the_first_place_that_has_an_address_wins(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, environment, config.toml, and W&B's own cloud last."""
    (empty_home / ".dlt" / "config.toml").write_text('[sources.wandb]\nbase_url = "https://c.example"\n')
    monkeypatch.setenv("WANDB_BASE_URL", "https://e.example/")
    monkeypatch.setenv("WANDB_API_KEY", ENVIRONMENT)
    found = [resolve_connection(base_url="https://a.example"), resolve_connection()]
    monkeypatch.delenv("WANDB_BASE_URL")
    found.append(resolve_connection())
    (empty_home / ".dlt" / "config.toml").unlink()
    found.append(resolve_connection())
    assert [c.base_url for c in found] == [
        "https://a.example",
        "https://e.example",
        "https://c.example",
        "https://api.wandb.ai",
    ]


@pytest.mark.parametrize("host", ["wandb.ai", "api.wandb.ai.evil.example", "API.example", "store.example"])
def test_netrc_entries_of_other_hosts_do_not_count(empty_home: Path, host: str) -> None:
    """Only the host's own entry is its key: no other, and not the default one."""
    write_netrc(empty_home / ".netrc", host)
    with pytest.raises(AuthError):
        resolve_connection()


def test_netrc_may_lie_elsewhere(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NETRC moves the file; the host is looked up without its port."""
    write_netrc(empty_home / "elsewhere", "127.0.0.1")
    monkeypatch.setenv("NETRC", str(empty_home / "elsewhere"))
    connection = resolve_connection(base_url="http://127.0.0.1:8080")
    assert (connection.api_key.reveal(), connection.key_source) == (NETRC, "netrc")


def test_a_netrc_others_can_read_is_refused_when_used(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open file is ConfigError with the command that mends it; where the key is found before, it does not matter."""
    write_netrc(empty_home / ".netrc", mode=0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        resolve_connection()
    assert resolve_connection(api_key=ARGUMENT).key_source == "argument"
    monkeypatch.setenv("WANDB_BASE_URL", "https://other.example")
    with pytest.raises(AuthError):
        resolve_connection()


def test_a_broken_netrc_is_named_but_not_quoted(empty_home: Path) -> None:
    """Python's parser quotes the file in its error, and so the key; ours names file and line."""
    (empty_home / ".netrc").write_text(f"machine api.wandb.ai\n{NETRC} password\n")
    with pytest.raises(ConfigError, match=r"line \d+ of .*netrc") as caught:
        resolve_connection()
    chain: BaseException | None = caught.value
    while chain is not None:
        assert NETRC not in str(chain)
        chain = chain.__cause__
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("content", ["[sources.wandb", "\xff\xfe"])
def test_broken_toml_is_a_configuration_error(empty_home: Path, content: str) -> None:
    """A file of `.dlt` that cannot be read is exit 2 and names the file."""
    for name in ("secrets.toml", "config.toml"):
        path = empty_home / ".dlt" / name
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(ConfigError, match=name):
            resolve_connection()
        path.unlink()


def test_plain_http_is_for_private_servers() -> None:
    """The key is not sent unencrypted to a public host, wherever the address comes from."""
    with pytest.raises(ConfigError, match="https"):
        resolve_connection(base_url="http://api.wandb.ai", api_key=ARGUMENT)
    assert resolve_connection(base_url="http://localhost:8080", api_key=ARGUMENT).is_private


def test_the_key_is_not_in_what_is_printed() -> None:
    """A connection can be logged."""
    assert ARGUMENT not in repr(resolve_connection(api_key=ARGUMENT))


def test_settings_come_from_environment_and_config(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults without anything; variables and `projects` where there are."""
    assert load_settings() == Settings(Path("wandb.duckdb"), None, None, ())
    monkeypatch.setenv("WANDB_WAREHOUSE", "~/data/w.duckdb")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_PROJECT", "mnist")
    (empty_home / ".dlt" / "config.toml").write_text('[sources.wandb]\nprojects = ["team/a", "other"]\n')
    assert load_settings() == Settings(empty_home / "data/w.duckdb", "team", "mnist", ("team/a", "other"))


def test_dlt_project_dir_moves_the_files(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory dlt itself would read is the one read here."""
    (empty_home / "sub" / ".dlt").mkdir(parents=True)
    write_secrets(empty_home / "sub")
    monkeypatch.setenv("DLT_PROJECT_DIR", str(empty_home / "sub"))
    assert resolve_connection().api_key.reveal() == SECRETS


@pytest.mark.parametrize("projects", ['"team/a"', "[1]", '["a/b/c"]', '[""]', '["/a"]', '["a/"]'])
def test_projects_that_are_no_paths_are_refused(empty_home: Path, projects: str) -> None:
    """A wrong list is exit 2 before anything is asked."""
    (empty_home / ".dlt" / "config.toml").write_text(f"[sources.wandb]\nprojects = {projects}\n")
    with pytest.raises(ConfigError, match="projects"):
        load_settings()


def test_the_interval_of_publishing(empty_home: Path) -> None:
    """A number of seconds, 0 for never; anything else is refused, and nothing is set where it is not."""
    config = empty_home / ".dlt" / "config.toml"
    assert load_settings().publish_every is None
    for text, seconds in (("90", 90.0), ("0", 0.0), ("1.5", 1.5)):
        config.write_text(f"[sources.wandb]\npublish_every = {text}\n")
        assert load_settings().publish_every == seconds
    for text in ('"90"', "-1", "true", "inf", "nan", "[]"):
        config.write_text(f"[sources.wandb]\npublish_every = {text}\n")
        with pytest.raises(ConfigError, match="publish_every"):
            load_settings()


@pytest.mark.parametrize("text", ["sources = 1", "[sources]\nwandb = 2", "[other]\nx = 1", ""])
def test_a_file_without_our_section_is_empty(empty_home: Path, text: str) -> None:
    """Other tools' tables are none of ours."""
    (empty_home / ".dlt" / "config.toml").write_text(text)
    assert load_settings() == Settings()


def test_the_committed_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files shipped in `.dlt` load, and the example key is no key."""
    root = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("DLT_PROJECT_DIR", str(root))
    assert load_settings().projects == ()
    example = (root / ".dlt" / "secrets.example.toml").read_text()
    assert '"set me up"' in example


def test_the_first_place_that_has_a_destination_wins(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our pipeline's own section before any pipeline's, environment before secrets.toml before config.toml."""
    assert (load_settings().destination, load_settings().warehouse) == (None, Path("wandb.duckdb"))
    assert load_settings("filesystem").warehouse == Path("wandb-lake")
    config, secrets = (empty_home / ".dlt" / f"{name}.toml" for name in ("config", "secrets"))
    config.write_text(
        'destination_type = "duckdb"\n[pipelines.wandb_warehouse]\n'
        'destination_type = "dlt.destinations.filesystem"\n[destination.filesystem]\nbucket_url = "from-config"\n'
    )
    found = load_settings()
    assert (found.destination, found.warehouse) == ("filesystem", Path("from-config"))
    secrets.write_text('[destination.filesystem]\nbucket_url = "s3://from/secrets"\n')
    assert load_settings().warehouse == "s3://from/secrets"
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "file:///from/environment")
    assert load_settings().warehouse == "file:///from/environment"
    monkeypatch.setenv("DESTINATION_TYPE", "duckdb")
    assert load_settings().warehouse == Path("wandb.duckdb")
    monkeypatch.setenv("WANDB_WAREHOUSE", "~/mine.duckdb")
    assert load_settings().warehouse == empty_home / "mine.duckdb"


@pytest.mark.parametrize("value", ['"bigquery"', "7"])
def test_a_destination_that_is_none_of_ours(empty_home: Path, value: str) -> None:
    """A destination that we do not write to, or that is no text, is a mistake to mend."""
    (empty_home / ".dlt" / "config.toml").write_text(f"destination_type = {value}\n")
    with pytest.raises(ConfigError, match="destination_type"):
        load_settings()


@pytest.mark.parametrize("name", ["duckdb", "filesystem"])
@pytest.mark.parametrize("place", ["", "[pipelines.wandb_warehouse]\n"])
def test_dlt_reads_the_same_destination(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    """The judge is dlt: in a fresh process a pipeline of our name takes the destination that we take."""
    (empty_home / ".dlt" / "config.toml").write_text(f'{place}destination_type = "{name}"\n')
    script = (
        "import dlt; print(dlt.pipeline('wandb_warehouse', pipelines_dir='p').destination.destination_name)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == name == load_settings().destination
