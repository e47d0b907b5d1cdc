"""Design 3: every setting is read once, and whatever cannot work stops the start, one sentence per fault."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shop import config, embedded_redis, keys
from shop.config import ALIPAY_GATEWAY, ConfigError, Settings, read


def a_private_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL  # PKCS#1, as older tools write it
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


APP_KEY, ALIPAY_KEY = a_private_pem(), a_private_pem()


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, str]:
    """An environment that production accepts; a test spoils one thing in it."""
    (tmp_path / "app.pem").write_text(APP_KEY)
    (tmp_path / "alipay.pem").write_text(keys.public_of(ALIPAY_KEY))
    return {
        "SHOP_ENV": "production",
        "INSTANCE_DIR": str(tmp_path / "instance"),
        "DATABASE_URL": "postgresql+psycopg://shop:secret@db.example/shop",
        "REDIS_URL": "rediss://:secret@redis.example:6379/0",
        "SECRET_KEY": "k" * 32,
        "PUBLIC_URL": "https://shop.example",
        "ALIPAY_GATEWAY": ALIPAY_GATEWAY,
        "ALIPAY_APP_ID": "2021001122334455",
        "ALIPAY_SELLER_ID": "2088101122334455",
        "ALIPAY_APP_PRIVATE_KEY_FILE": str(tmp_path / "app.pem"),
        "ALIPAY_PUBLIC_KEY_FILE": str(tmp_path / "alipay.pem"),
    }


def test_production_starts_on_sound_settings(sound: dict[str, str]):
    settings = Settings.from_env(sound)
    assert settings.is_production and settings.is_https and not settings.uses_cashier
    assert settings.secret_keys == ("k" * 32,)
    assert settings.alipay_public_keys == (keys.public_of(ALIPAY_KEY),)
    assert settings.cashier_url == ""


def test_production_makes_no_file(sound: dict[str, str]):
    Settings.from_env(sound)
    assert not Path(sound["INSTANCE_DIR"]).exists()


SPOILED = [
    ("DATABASE_URL", "", "DATABASE_URL is required"),
    ("REDIS_URL", "", "REDIS_URL is required"),
    ("SECRET_KEY", "", "SECRET_KEY is required"),
    ("SECRET_KEY", "k" * 31, "SECRET_KEY is too short"),
    ("SECRET_KEY", "k" * 32 + ",old", "SECRET_KEY is too short"),
    ("PUBLIC_URL", "", "PUBLIC_URL is required"),
    ("PUBLIC_URL", "http://shop.example", "PUBLIC_URL must start with https://"),
    ("PUBLIC_URL", "https://shop.example/path", "PUBLIC_URL must be scheme and host only"),
    ("PUBLIC_URL", "https://shop.example; script-src *", "PUBLIC_URL must be scheme and host only"),
    ("ALIPAY_GATEWAY", "", "ALIPAY_GATEWAY is required"),
    ("ALIPAY_GATEWAY", "http://127.0.0.1:5001/gateway.do", "ALIPAY_GATEWAY must be https://openapi.alipay.com"),
    ("ALIPAY_GATEWAY", "https://openapi.alipay.com.evil.example/gateway.do", "ALIPAY_GATEWAY must be"),
    ("ALIPAY_APP_ID", "", "ALIPAY_APP_ID is required"),
    ("ALIPAY_APP_ID", config.DEMO_APP_ID, "ALIPAY_APP_ID is the demo's"),
    ("ALIPAY_SELLER_ID", config.DEMO_SELLER_ID, "ALIPAY_SELLER_ID is the demo's"),
    ("ALIPAY_SELLER_ID", "２０８８", "ALIPAY_SELLER_ID must be 1 to 32 digits"),
    ("ALIPAY_APP_PRIVATE_KEY_FILE", "", "ALIPAY_APP_PRIVATE_KEY_FILE is required"),
    ("ALIPAY_APP_PRIVATE_KEY_FILE", "/nowhere/app.pem", "ALIPAY_APP_PRIVATE_KEY_FILE: cannot read /nowhere/app.pem"),
    ("ALIPAY_PUBLIC_KEY_FILE", "", "ALIPAY_PUBLIC_KEY_FILE is required"),
    ("ALIPAY_PUBLIC_KEY_FILE", os.devnull, "ALIPAY_PUBLIC_KEY_FILE: /dev/null is not a key"),
    ("FLASK_DEBUG", "1", "FLASK_DEBUG must not be set"),
    ("SHOP_CLOCK_OFFSET_FILE", "/tmp/offset", "SHOP_CLOCK_OFFSET_FILE moves the clock"),
    ("SHOP_ENV", "Production", "SHOP_ENV must be one of demo, production"),
    ("PORT", "70000", "PORT must be a whole number"),
    ("PORT", "５０００", "PORT must be a whole number"),
    ("ORDER_TTL_MINUTES", "0", "ORDER_TTL_MINUTES must be a whole number from 1 to 21600"),
    ("BELI_PER_YUAN", "3", "BELI_PER_YUAN must be one of 1, 2, 4"),
    ("REFUND_WINDOW_DAYS", "-1", "REFUND_WINDOW_DAYS must be a whole number"),
    ("DATABASE_URL", "mysql://shop@db.example/shop", "DATABASE_URL must be postgresql"),
    ("DATABASE_URL", "sqlite://", "DATABASE_URL must be postgresql"),
    ("DATABASE_URL", "no url", "DATABASE_URL must be postgresql"),
    ("REDIS_URL", "http://redis.example", "REDIS_URL must be redis://"),
    ("MAIL_URL", "http://mail.example?from=shop@mail.example", "MAIL_URL must be smtp://"),
    ("MAIL_URL", "smtp://mail.example", "MAIL_URL must be smtp://"),
    ("MAIL_URL", "smtps://mail.example:99999?from=shop@mail.example", "MAIL_URL must be smtp://"),
    ("MAIL_URL", "smtps://mail.example?from=shop@mail.example&bcc=x@mail.example", "MAIL_URL must be smtp://"),
    ("MAIL_URL", "smtps://mail.example?from=shop@mail.example%0d%0abcc:x", "MAIL_URL must be smtp://"),
    ("MEDIA_ORIGINS", "https://media.example, media.example/x", "MEDIA_ORIGINS must list origins"),
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), SPOILED, ids=[f"{n}={v[:30]}" for n, v, _ in SPOILED])
def test_production_refuses_to_start(sound: dict[str, str], name: str, value: str, sentence: str):
    with pytest.raises(ConfigError) as refusal:
        Settings.from_env(sound | {name: value})
    assert [fault for fault in refusal.value.faults if sentence in fault], refusal.value.faults
    assert len(refusal.value.faults) == 1 or name == "SHOP_ENV" or "ALIPAY" in name


def test_every_fault_is_named_at_once(sound: dict[str, str]):
    spoiled = sound | {"SECRET_KEY": "", "REDIS_URL": "", "PUBLIC_URL": "http://shop.example", "FLASK_DEBUG": "1"}
    _, faults = read(spoiled)
    assert [fault.split()[0] for fault in faults] == ["REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "FLASK_DEBUG"]


def test_production_refuses_what_the_demo_made_for_itself_even_copied(sound: dict[str, str], tmp_path: Path):
    instance = Path(sound["INSTANCE_DIR"])
    demo = Settings.from_env({"INSTANCE_DIR": str(instance)})
    (tmp_path / "app.pem").write_text(demo.alipay_app_private_key)
    (tmp_path / "alipay.pem").write_text(demo.alipay_public_keys[0])
    _, faults = read(
        sound | {"SECRET_KEY": demo.secret_keys[0], "REDIS_URL": embedded_redis.url(config.redis_folder(instance))}
    )
    assert sorted(fault.split()[0] for fault in faults) == [
        "ALIPAY_APP_PRIVATE_KEY_FILE",
        "ALIPAY_PUBLIC_KEY_FILE",
        "REDIS_URL",
        "SECRET_KEY",
    ]


def test_the_apps_own_public_key_is_not_taken_for_alipays(sound: dict[str, str], tmp_path: Path):
    (tmp_path / "alipay.pem").write_text(keys.public_of(keys.private_pem(APP_KEY)))
    _, faults = read(sound)
    assert faults == ["ALIPAY_PUBLIC_KEY_FILE holds the app's own public key; it must be the one that Alipay shows."]


def test_several_keys_are_accepted_while_they_change(sound: dict[str, str], tmp_path: Path):
    (tmp_path / "new.pem").write_text(keys.public_of(a_private_pem()))
    files = os.pathsep.join([sound["ALIPAY_PUBLIC_KEY_FILE"], str(tmp_path / "new.pem")])
    settings = Settings.from_env(sound | {"ALIPAY_PUBLIC_KEY_FILE": files, "SECRET_KEY": f"{'n' * 32}, {'o' * 32}"})
    assert len(settings.alipay_public_keys) == 2
    assert settings.secret_keys == ("n" * 32, "o" * 32)


def test_a_key_is_read_as_alipays_tool_shows_it(sound: dict[str, str], tmp_path: Path):
    bare = "".join(line for line in APP_KEY.splitlines() if "-----" not in line)
    (tmp_path / "app.pem").write_text(bare)
    assert Settings.from_env(sound).alipay_app_private_key == keys.private_pem(APP_KEY)


def test_a_short_key_is_refused():
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_key().public_bytes(serialization.Encoding.DER, form)
    with pytest.raises(ValueError, match="at least 2048 bits"):
        keys.public_pem(base64.b64encode(der).decode())


def test_an_empty_environment_is_the_demo(tmp_path: Path):
    settings = Settings.from_env({"INSTANCE_DIR": str(tmp_path), "PORT": "5010", "SECRET_KEY": ""})
    assert settings.public_url == "http://127.0.0.1:5010"
    assert settings.alipay_gateway == "http://127.0.0.1:5011/gateway.do"
    assert settings.cashier_url == "http://localhost:5011"
    assert settings.uses_cashier and settings.redis_is_embedded
    assert settings.database_url == f"sqlite:///{tmp_path}/shop.sqlite3"


def test_the_demos_secrets_are_kept_and_private(tmp_path: Path):
    first, second = (Settings.from_env({"INSTANCE_DIR": str(tmp_path)}) for _ in range(2))
    assert first == second
    secrets = (config.secret_file(tmp_path), config.app_key_file(tmp_path), config.cashier_key_file(tmp_path))
    assert [oct(path.stat().st_mode & 0o777) for path in secrets] == ["0o600"] * 3


def test_racing_starters_agree_on_the_demos_secrets(tmp_path: Path):
    environ = {"INSTANCE_DIR": str(tmp_path)}
    with ThreadPoolExecutor(8) as pool:
        settings = list(pool.map(Settings.from_env, [environ] * 8))
    assert len({(s.secret_keys, s.alipay_app_private_key, s.alipay_public_keys) for s in settings}) == 1


def test_no_secret_is_in_what_is_printed_of_the_settings(sound: dict[str, str]):
    settings = Settings.from_env(
        sound | {"METRICS_TOKEN": "secret", "MAIL_URL": "smtp://shop:secret@mail.example?from=shop@mail.example"}
    )
    shown = repr(settings)
    assert "secret@" not in shown and "kkkk" not in shown and "KEY-----" not in shown and "'secret'" not in shown


def test_old_spellings_of_the_postgresql_url_name_the_driver(sound: dict[str, str]):
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        settings = Settings.from_env(sound | {"DATABASE_URL": f"{scheme}://u:p%40@db.example/shop?sslmode=require"})
        assert settings.database_url == "postgresql+psycopg://u:p%40@db.example/shop?sslmode=require"


def test_every_setting_is_in_the_example_file():
    example = (config.PROJECT / ".env.example").read_text()
    named = {line.partition("=")[0] for line in example.splitlines() if line and not line.startswith("#")}
    asked: set[str] = set()

    class Asked(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            asked.add(name)
            return default

    read(Asked())
    assert asked == named


def judged(environ: dict[str, str]) -> tuple[int, str, str]:
    environ = {"PATH": os.environ["PATH"], **environ}
    command = [sys.executable, "-m", "shop"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=config.PROJECT, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_settings_can_be_judged_without_a_start(sound: dict[str, str]):
    assert judged(sound) == (0, "settings are sound\n", "")
    assert judged(sound | {"FLASK_DEBUG": "1", "PUBLIC_URL": "http://shop.example"}) == (
        1,
        "PUBLIC_URL must start with https:// when SHOP_ENV=production.\n"
        "FLASK_DEBUG must not be set when SHOP_ENV=production: its console runs any code.\n",
        "",
    )
