"""The second factor of staff: a code of an authenticator app (TOTP, RFC 6238), or one from paper; each counts once."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from datetime import datetime

import pyotp
from flask_babel import lazy_gettext as _
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from shop.enums import MessageType
from shop.errors import NotFound, NotYourself, ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, RecoveryCode, SecondFactor
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, messages
from shop.services.audit_log import Actor
from shop.services.locks import lock_account
from shop.wording import mark

ISSUER = "路飞学城"
STEP_SECONDS = 30
DRIFT = (-1, 0, 1)  # steps by which a phone's clock may be wrong
RECOVERY_CODES = 10
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # no letters that look alike
RECOVERY_LETTERS = 16  # 79 bits
APP_CODE = re.compile(r"[0-9]{6}", re.ASCII)


class WrongCode(ShopError):
    status, text = 422, _("验证码不对，或已经用过。请等应用显示下一个再试。")


def new_secret() -> str:
    return pyotp.random_base32()


def address(username: str, secret: str) -> str:
    """What the QR code says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def code_now(secret: str, now: datetime) -> str:
    """The code that the app shows at this moment."""
    return pyotp.TOTP(secret).at(now)


def has_one(account_id: int) -> bool:
    return bool(db.session.scalar(select(exists().where(SecondFactor.account_id == account_id))))


def enrol(account_id: int, secret: str, code: str, now: datetime) -> list[str]:
    """Keep the secret, now that a code shows that the app has it; the recovery codes, told this once.

    Raises WrongCode, also for an account that has a factor already: another tab was quicker.
    """
    step = _step_of(secret, _plain(code), now)
    if step is None:
        raise WrongCode
    with unit_of_work() as session:
        lock_account(session, account_id)
        if session.get(SecondFactor, account_id) is not None:
            raise WrongCode
        session.add(SecondFactor(account_id=account_id, secret=secret, last_step=step, confirmed_time=now))
        account = session.get_one(Account, account_id)
        audit_log.record(session, Actor(account.username, account_id), "second_factor enrol", account)
        return _new_recovery_codes(session, account_id)


def _new_recovery_codes(session: Session, account_id: int) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    codes = [_letters() for _code in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(account_id=account_id, digest=_digest(account_id, code)) for code in codes)
    return ["-".join(code[start : start + 4] for start in range(0, RECOVERY_LETTERS, 4)) for code in codes]


def _letters() -> str:
    return "".join(secrets.choice(ALPHABET) for _letter in range(RECOVERY_LETTERS))


def check(account_id: int, code: str, now: datetime) -> None:
    """Use up a code of the app or from the paper. Raises WrongCode for a wrong one and for one that was used."""
    code = _plain(code)
    with unit_of_work() as session:
        used = _use_app_code if APP_CODE.fullmatch(code) else _use_recovery_code
        if not used(session, account_id, code, now):
            raise WrongCode


def _plain(code: str) -> str:
    """The code without what people and keyboards add: blanks, dashes, small letters, an IME's wide digits."""
    normal = unicodedata.normalize("NFKC", code)
    return "".join(sign for sign in normal if not sign.isspace() and unicodedata.category(sign) != "Pd").upper()


def _use_app_code(session: Session, account_id: int, code: str, now: datetime) -> bool:
    secret = session.scalar(select(SecondFactor.secret).where(SecondFactor.account_id == account_id))
    step = _step_of(secret, code, now) if secret else None
    if step is None:
        return False
    first = update(SecondFactor).where(SecondFactor.account_id == account_id, SecondFactor.last_step < step)
    return bool(session.execute(first.values(last_step=step)).rowcount == 1)  # type: ignore[attr-defined]


def _use_recovery_code(session: Session, account_id: int, code: str, now: datetime) -> bool:
    unused = RecoveryCode.digest == _digest(account_id, code), RecoveryCode.used_time.is_(None)
    if session.execute(update(RecoveryCode).where(*unused).values(used_time=now)).rowcount != 1:  # type: ignore[attr-defined]
        return False
    account = session.get_one(Account, account_id)
    audit_log.record(session, Actor(account.username, account_id), "recovery_code use", account)
    return True


def demo_secret(account_id: int) -> str | None:
    """The secret itself, for the page of the demo that shows what an app would."""
    return db.session.scalar(select(SecondFactor.secret).where(SecondFactor.account_id == account_id))


def codes_left(account_id: int) -> int:
    unused = RecoveryCode.account_id == account_id, RecoveryCode.used_time.is_(None)
    return db.session.scalar(select(func.count()).where(*unused)) or 0


def drop(account_id: int, *, actor: Actor, reason: str) -> None:
    """Somebody has lost phone and paper: forget both and end every session; the next log-in begins anew.

    The owner is told, as somebody else may have said that they were lost. A person needs the right now, and does not do
    it to themselves; a command acts without an account.

    Raises NotFound, NotYourself, StaffOnly, ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    if actor.account_id == account_id:
        raise NotYourself
    with unit_of_work() as session:
        account = session.get(Account, account_id, with_for_update=True)
        if actor.account_id is not None and not clerks.may(session, actor, Task.ACCOUNTS):
            raise StaffOnly
        if account is None or not account.is_staff:
            raise NotFound
        session.execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))
        session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
        account.session_epoch += 1
        audit_log.record(session, actor, "second_factor drop", account, reason=reason)
        text = mark("管理员清除了您的两步验证，所有登录已失效。如果您没有提出过，请马上联系另一位系统管理员。")
        messages.tell(session, account_id, MessageType.OTHER, text, link="/account")


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, the present one or its neighbours; None for no code of the secret."""
    if not APP_CODE.fullmatch(code):
        return None
    app, present = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    steps = (present + drift for drift in DRIFT)
    return next((step for step in steps if secrets.compare_digest(app.at(step * STEP_SECONDS), code)), None)


def _digest(account_id: int, code: str) -> str:
    return hashlib.sha256(f"{account_id}:{code}".encode()).hexdigest()
