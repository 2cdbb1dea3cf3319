"""Settings: typed, from the environment, and one clear line when one is wrong."""

from pathlib import Path

import pytest

from letgo_gateway.cli import main
from letgo_gateway.keys import keys
from letgo_gateway.settings import Settings, WrongSetting, from_environment

WRONG = {
    "GATEWAY_PORT=x": "GATEWAY_PORT: input should be a valid integer",
    "GATEWAY_PORT=70000": "GATEWAY_PORT: input should be less than or equal to 65535",
    "GATEWAY_PROT=4444": "GATEWAY_PROT: there is no such setting",
    "GATEWAY_GUARD=maybe": "GATEWAY_GUARD: input should be 'off', 'observe', 'raise' or 'release'",
    "GATEWAY_SECRET_KEY=short": "GATEWAY_SECRET_KEY: shorter than 32 characters",
    "DATABASE_URL=mysql://localhost/x": "DATABASE_URL: mysql is not supported; use postgresql:// or sqlite:///",
    "DATABASE_URL=nonsense": "DATABASE_URL: not a URL of a database",
    "DATABASE_URL=sqlite://": "DATABASE_URL: SQLite needs a file",
    "GATEWAY_POOL_SIZE=0": "GATEWAY_POOL_SIZE: input should be greater than or equal to 1",
}


@pytest.mark.parametrize("given", WRONG)
def test_a_wrong_setting_is_one_line_that_names_its_variable(given: str) -> None:
    name, _, value = given.partition("=")
    with pytest.raises(WrongSetting) as wrong:
        from_environment({name: value, "PATH": "/bin"})
    assert str(wrong.value).startswith(WRONG[given])
    assert "\n" not in str(wrong.value)


def test_what_is_given_goes_before_the_environment_and_what_is_not_has_a_default() -> None:
    environment = {
        "GATEWAY_PORT": "1",
        "GATEWAY_ALLOWED_HOSTS": "a.example, b.example",
        "DATABASE_URL": "postgres://db/x",
    }
    settings = from_environment(environment, port=2, workers=None)
    assert (settings.port, settings.workers, settings.host) == (2, 1, "127.0.0.1")
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.database.drivername == "postgresql+asyncpg"
    assert settings.direct == settings.database


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    settings = Settings(secret_key_file=str(path))
    made = keys(settings)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys(settings).fingerprint == made.fingerprint
    assert keys(settings).unseal(made.seal({"a": "b"})) == {"a": "b"}
    other = keys(Settings(secret_key="another key, of thirty-two characters"))
    with pytest.raises(WrongSetting, match="not the one with which"):
        other.unseal(made.seal({"a": "b"}))
    path.write_text("short")
    with pytest.raises(WrongSetting, match="delete it to have a new one made"):
        keys(settings)
    with pytest.raises(WrongSetting, match="No such file"):
        keys(Settings(secret_key_file=str(tmp_path / "nowhere" / "key")))


def test_serve_tells_a_wrong_setting_and_a_missing_database_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("letgo_gateway.cli.configure", lambda settings: None)
    for name, value, told in (
        ("GATEWAY_PORT", "x", "letgo-gateway: GATEWAY_PORT: "),
        ("DATABASE_URL", f"postgresql:///x?host={tmp_path}", "letgo-gateway: DATABASE_URL: the database "),
        (
            "DATABASE_URL",
            f"sqlite:///{tmp_path}/nowhere/gateway.db",
            "letgo-gateway: DATABASE_URL: there is no directory ",
        ),
    ):
        with monkeypatch.context() as environment:
            environment.setenv("GATEWAY_SECRET_KEY_FILE", str(tmp_path / "key"))
            environment.setenv(name, value)
            assert main(["serve"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(told)
        assert said.count("\n") == 1
