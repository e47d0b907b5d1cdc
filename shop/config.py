"""Every setting, read once from the environment and checked as a whole before anything starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shop import embedded_redis, keys
from shop.clock import OFFSET_FILE
from shop.env_reader import EnvReader

ALIPAY_GATEWAY = "https://openapi.alipay.com/gateway.do"
DEMO_APP_ID = "2021000000000001"
DEMO_SELLER_ID = "2088000000000001"
SHORTEST_SECRET = 32  # bytes
LONGEST_TTL = 15 * 24 * 60  # minutes; Alipay accepts a time_expire up to 15 days ahead
EXACT_RATES = (1, 2, 4, 5, 10, 20, 25, 50, 100)  # 贝里 per yuan that are worth whole fen
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PROJECT = Path(__file__).resolve().parent.parent


class ConfigError(ValueError):
    """The settings cannot be used: ``faults`` has one sentence for each thing that is wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """What the environment says. ``repr`` leaves out whatever may hold a password or a key."""

    instance: Path
    env: str  # "demo" or "production"
    port: int
    public_url: str  # scheme and host, no slash at the end
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)  # several nodes of a cluster are separated by commas
    secret_keys: tuple[str, ...] = field(repr=False)  # the first signs, the others are still accepted
    alipay_gateway: str
    alipay_app_id: str
    alipay_seller_id: str
    alipay_app_private_key: str = field(repr=False)  # PEM
    alipay_public_keys: tuple[str, ...] = field(repr=False)  # PEM; a message is genuine if one of them says so
    cashier_url: str  # second origin of the local cashier, where buyers are forwarded to; "" without one
    order_ttl_minutes: int
    beli_per_yuan: int
    refund_window_days: int
    refund_two_persons_fen: int  # a refund of more takes two persons
    grading_hours: int  # a hand-in waits no longer for its mark, or the mentor is fined
    follow_up_days: int  # nor a student for a word
    answer_hours: int  # nor a question for its answer
    leave_days: int  # 休学, in all, for one degree
    overtime_pays: bool  # whether fee and rewards mature when the two years end without graduation
    uploads: Path  # what students and mentors hand in
    upload_megabytes: int  # one file
    mail_url: str = field(repr=False)  # "" = no mail; the demo shows its letters on a page
    metrics_token: str = field(repr=False)  # "" = /metrics is 404
    media_origins: tuple[str, ...]
    huey_url: str = field(repr=False)  # "" = the database's own queue
    trusted_proxies: int  # how many X-Forwarded-* hops to believe
    log_level: str

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def redis_is_embedded(self) -> bool:
        return self.redis_url == embedded_redis.url(redis_folder(self.instance))

    @property
    def migrations(self) -> Path:
        return PROJECT / "migrations"

    @property
    def uses_cashier(self) -> bool:
        """Whether the gateway is the local cashier that ``bin/run`` starts beside the shop."""
        return not self.is_production and self.alipay_gateway == _cashier_gateway(self.port)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings, with the demo's keys made on demand. Raises ConfigError with every fault found."""
        settings, faults = read(environ)
        if faults:
            raise ConfigError(faults)
        return settings if settings.is_production else _with_demo_keys(settings)


def read(environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings as far as they can be read, and one sentence per fault; makes no file."""
    reader = EnvReader(environ)
    instance = Path(reader.text("INSTANCE_DIR", str(PROJECT / "instance"))).resolve()
    env = reader.choice("SHOP_ENV", "demo", ("demo", "production"))
    port = reader.number("PORT", 5000, 1, 65534)  # the cashier takes the next one
    is_demo = env == "demo"
    settings = Settings(
        instance=instance,
        env=env,
        port=port,
        public_url=reader.origin("PUBLIC_URL", f"http://127.0.0.1:{port}"),
        database_url=reader.database("DATABASE_URL", f"sqlite:///{instance / 'shop.sqlite3'}"),
        redis_url=reader.redis("REDIS_URL", embedded_redis.url(redis_folder(instance))),
        secret_keys=reader.words("SECRET_KEY"),
        alipay_gateway=reader.url("ALIPAY_GATEWAY", _cashier_gateway(port), ("http", "https")),
        alipay_app_id=reader.digits("ALIPAY_APP_ID", DEMO_APP_ID),
        alipay_seller_id=reader.digits("ALIPAY_SELLER_ID", DEMO_SELLER_ID),
        alipay_app_private_key=reader.private_key("ALIPAY_APP_PRIVATE_KEY_FILE"),
        alipay_public_keys=reader.public_keys("ALIPAY_PUBLIC_KEY_FILE"),
        # Another host name is another origin, as at Alipay, where the buyer is forwarded to another host.
        cashier_url=reader.origin("CASHIER_URL", f"http://localhost:{port + 1}") if is_demo else "",
        order_ttl_minutes=reader.number("ORDER_TTL_MINUTES", 15, 1, LONGEST_TTL),
        beli_per_yuan=reader.number("BELI_PER_YUAN", 1, 1, 100),
        refund_window_days=reader.number("REFUND_WINDOW_DAYS", 7, 0, 365),
        refund_two_persons_fen=100 * reader.number("REFUND_TWO_PERSONS_YUAN", 5_000, 0, 1_000_000),
        grading_hours=reader.number("GRADING_HOURS", 48, 1, 720),
        follow_up_days=reader.number("FOLLOW_UP_DAYS", 7, 1, 90),
        answer_hours=reader.number("ANSWER_HOURS", 12, 1, 720),
        leave_days=reader.number("LEAVE_DAYS", 180, 0, 730),
        overtime_pays=reader.number("OVERTIME_PAYS", 0, 0, 1) == 1,
        uploads=Path(reader.text("UPLOADS_DIR", str(instance / "uploads"))).resolve(),
        upload_megabytes=reader.number("UPLOAD_MEGABYTES", 10, 1, 100),
        mail_url=reader.mail("MAIL_URL"),
        metrics_token=reader.text("METRICS_TOKEN"),
        media_origins=reader.origins("MEDIA_ORIGINS"),
        huey_url=reader.url("HUEY_URL", "", ("redis", "rediss", "unix", "postgresql", "sqlite")),
        trusted_proxies=reader.number("TRUSTED_PROXIES", 0, 0, 5),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    faults = reader.faults + _contradictions(settings)
    if not is_demo:
        faults += _unfit_for_production(settings, environ)
    return settings, faults


def _cashier_gateway(port: int) -> str:
    return f"http://127.0.0.1:{port + 1}/gateway.do"


def redis_folder(instance: Path) -> Path:
    return instance / "redis"


def secret_file(instance: Path) -> Path:
    return instance / "secret_key"


def app_key_file(instance: Path) -> Path:
    return instance / "keys" / "app_private.pem"


def cashier_folder(instance: Path) -> Path:
    """The cashier's own data folder; the demo shop reads the public half of its key there."""
    return instance / "cashier"


def cashier_key_file(instance: Path) -> Path:
    return cashier_folder(instance) / "gateway_private.pem"


def _contradictions(settings: Settings) -> list[str]:
    """Faults that need more than one look at one variable, whatever the mode."""
    faults = []
    if settings.beli_per_yuan not in EXACT_RATES:
        rates = ", ".join(map(str, EXACT_RATES))
        faults.append(f"BELI_PER_YUAN must be one of {rates}, so that one 贝里 is worth whole fen.")
    own = settings.alipay_app_private_key
    if own and keys.public_of(own) in settings.alipay_public_keys:
        faults.append("ALIPAY_PUBLIC_KEY_FILE holds the app's own public key; it must be the one that Alipay shows.")
    if settings.alipay_gateway == ALIPAY_GATEWAY and not (own and settings.alipay_public_keys):
        files = "ALIPAY_APP_PRIVATE_KEY_FILE and ALIPAY_PUBLIC_KEY_FILE"
        faults.append(f"ALIPAY_GATEWAY is Alipay's own, which needs {files}.")
    return faults


def _unfit_for_production(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    return [
        *_missing(environ),
        *_weak_secrets(settings),
        *_demo_keys_in_use(settings),
        *_open_doors(settings, environ),
    ]


def _missing(environ: Mapping[str, str]) -> list[str]:
    required = {
        "DATABASE_URL": "the SQLite file of the demo is not for production",
        "REDIS_URL": "the embedded Redis is not for production",
        "SECRET_KEY": "at least 32 bytes, for example from: openssl rand -hex 32",
        "PUBLIC_URL": "the https address that buyers and Alipay use",
        "ALIPAY_GATEWAY": ALIPAY_GATEWAY,
        "ALIPAY_APP_ID": "the demo's is not for production",
        "ALIPAY_SELLER_ID": "the demo's is not for production",
        "ALIPAY_APP_PRIVATE_KEY_FILE": "the app's private key as PEM",
        "ALIPAY_PUBLIC_KEY_FILE": "Alipay's public key as PEM",
    }
    return [
        f"{name} is required when SHOP_ENV=production ({why})."
        for name, why in required.items()
        if not environ.get(name, "").strip()
    ]


def _weak_secrets(settings: Settings) -> list[str]:
    faults = []
    if any(len(key.encode()) < SHORTEST_SECRET for key in settings.secret_keys):
        faults.append(f"SECRET_KEY is too short: every key needs at least {SHORTEST_SECRET} bytes.")
    if _text_of(secret_file(settings.instance)) in settings.secret_keys:
        faults.append("SECRET_KEY is the one that the demo made for itself.")
    return faults


def _demo_keys_in_use(settings: Settings) -> list[str]:
    """The demo's keys, wherever they were copied to: compared by content."""
    faults = []
    app = _demo_private_key(app_key_file(settings.instance))
    cashier = _demo_private_key(cashier_key_file(settings.instance))
    if settings.alipay_app_private_key and settings.alipay_app_private_key in (app, cashier):
        faults.append("ALIPAY_APP_PRIVATE_KEY_FILE is a key that the demo made for itself.")
    if cashier and keys.public_of(cashier) in settings.alipay_public_keys:
        faults.append("ALIPAY_PUBLIC_KEY_FILE is the local cashier's: anyone with that file could fake payments.")
    return faults


def _open_doors(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    faults = []
    if environ.get("PUBLIC_URL", "").strip() and not settings.is_https:
        faults.append("PUBLIC_URL must start with https:// when SHOP_ENV=production.")
    if environ.get("ALIPAY_GATEWAY", "").strip() and settings.alipay_gateway != ALIPAY_GATEWAY:
        faults.append(f"ALIPAY_GATEWAY must be {ALIPAY_GATEWAY} when SHOP_ENV=production.")
    if environ.get("REDIS_URL", "").strip() and str(settings.instance) in settings.redis_url:
        faults.append("REDIS_URL is the demo's embedded Redis.")
    if environ.get("ALIPAY_APP_ID", "").strip() == DEMO_APP_ID:
        faults.append("ALIPAY_APP_ID is the demo's.")
    if environ.get("ALIPAY_SELLER_ID", "").strip() == DEMO_SELLER_ID:
        faults.append("ALIPAY_SELLER_ID is the demo's.")
    if environ.get("FLASK_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off"):
        faults.append("FLASK_DEBUG must not be set when SHOP_ENV=production: its console runs any code.")
    if environ.get(OFFSET_FILE, "").strip():
        faults.append(f"{OFFSET_FILE} moves the clock and must not be set when SHOP_ENV=production.")
    return faults


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _demo_private_key(path: Path) -> str | None:
    text = _text_of(path)
    return keys.private_pem(text) if text else None


def _with_demo_keys(settings: Settings) -> Settings:
    """The same settings with whatever secret or key nobody gave, from ``instance/``."""
    home = settings.instance
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    cashier_key = keys.ensure_private_pem(cashier_key_file(home))
    return replace(
        settings,
        secret_keys=settings.secret_keys or (keys.ensure_secret(secret_file(home)),),
        alipay_app_private_key=settings.alipay_app_private_key or keys.ensure_private_pem(app_key_file(home)),
        alipay_public_keys=settings.alipay_public_keys or (keys.public_of(cashier_key),),
    )
