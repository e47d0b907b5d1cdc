"""Crowds of clerks at one campaign, in processes of their own: every call passes its checks before any writes."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import func, select

from shop.enums import StaffRole
from shop.extensions import db
from shop.models import AuditLog, Coupon, CouponCode
from shop.services.audit_log import Actor
from shop.services.staff import campaigns, coupon_codes
from tests.builders import a_clerk, a_coupon, a_draft
from tests.faults.crowd import PROCESSES, THREADS, Crowd

CROWD = PROCESSES * THREADS


def generate(coupon_id: int, clerk_id: int) -> None:
    coupon_codes.generate(coupon_id, 50, actor=Actor("clerk", clerk_id), reason="so")


def publish(coupon_id: int, seal: str, clerk_id: int) -> None:
    campaigns.publish(coupon_id, seal, actor=Actor("clerk", clerk_id), reason="so")


def stop(coupon_id: int, clerk_id: int) -> None:
    campaigns.stop(coupon_id, actor=Actor("clerk", clerk_id), reason="so")


def shrink_or_generate(coupon_id: int, clerk_id: int, is_shrinking: bool) -> None:
    if not is_shrinking:
        return generate(coupon_id, clerk_id)
    coupon = db.session.get_one(Coupon, coupon_id)
    return campaigns.extend(coupon_id, 60, coupon.close_date, actor=Actor("clerk", clerk_id), reason="so")


def audited(action: str) -> int:
    return db.session.scalar(select(func.count()).where(AuditLog.action == action)) or 0


def test_clerks_who_generate_codes_at_once_never_exceed_the_quantity(app: Flask, crowd: Crowd) -> None:
    coupon_id, clerk_id = a_coupon(quantity=120, is_public=False).id, a_clerk(StaffRole.OPERATIONS).id
    db.session.remove()
    outcomes = crowd.outcomes("coupon_code", generate, [(coupon_id, clerk_id)] * CROWD)
    assert outcomes == {"done": 2, "NotEnoughLeft": CROWD - 2}
    assert db.session.scalar(select(func.count()).select_from(CouponCode)) == 100
    assert audited("coupon codes") == 2


def test_a_quantity_lowered_meanwhile_leaves_no_code_without_a_coupon(app: Flask, crowd: Crowd) -> None:
    coupon_id, clerk_id = a_coupon(quantity=200, is_public=False).id, a_clerk(StaffRole.OPERATIONS).id
    db.session.remove()
    calls = [(coupon_id, clerk_id, number % 2 == 0) for number in range(CROWD)]
    crowd.outcomes("coupon_code", shrink_or_generate, calls, waiting=2)
    codes = db.session.scalar(select(func.count()).select_from(CouponCode)) or 0
    assert codes <= db.session.get_one(Coupon, coupon_id).quantity


def test_of_clerks_who_publish_or_stop_at_once_one_does_it(app: Flask, crowd: Crowd) -> None:
    draft, running, clerk_id = a_draft(), a_coupon(), a_clerk(StaffRole.OPERATIONS).id
    call, coupon_id = (draft.id, campaigns.terms_of(draft).seal, clerk_id), running.id
    db.session.remove()
    assert crowd.outcomes("coupon", publish, [call] * CROWD) == {"done": 1, "AlreadyPublished": CROWD - 1}
    assert crowd.outcomes("coupon", stop, [(coupon_id, clerk_id)] * CROWD) == {"done": 1, "AlreadyChanged": CROWD - 1}
    assert (audited("coupon publish"), audited("coupon stop")) == (1, 1)
