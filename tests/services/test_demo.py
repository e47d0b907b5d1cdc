"""The demo: rich enough to show everything, consistent, and the same after a second run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop import clock
from shop.enums import CouponKind, CourseType, ProductStatus, Role, SectionType, StudyStatus
from shop.extensions import db
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    Course,
    CourseCategory,
    CourseSection,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkSubmission,
    PricePolicy,
    Question,
    Teacher,
    TransactionRecord,
)
from shop.services import accounts, clerks, demo
from shop.services.catalogue_import import Outcome
from shop.services.staff import desk
from tests.audit import assert_audit_clean

STATIC = Path(__file__).resolve().parents[2] / "shop"


@pytest.fixture
def loaded(app: Flask) -> Flask:
    demo.load(clock.now())
    return app


def test_the_catalogue_is_rich(loaded: Flask) -> None:
    courses = db.session.scalars(select(Course).where(Course.course_type != CourseType.MODULE)).all()
    by_category = Counter(course.sub_category.category.name for course in courses)

    assert len(courses) >= 24
    assert len(by_category) == db.session.scalar(select(func.count()).select_from(CourseCategory)) == 6
    assert min(by_category.values()) >= 4
    assert {course.status for course in courses} == set(ProductStatus)
    assert any(course.course_type is CourseType.VIP for course in courses)
    assert any(plan.price_fen == 0 for course in courses for plan in course.policies)
    assert db.session.scalar(select(func.count()).select_from(Teacher)) >= 10


def test_every_course_can_be_tried_for_free(loaded: Flask) -> None:
    for course in db.session.scalars(select(Course).where(Course.course_type != CourseType.MODULE)):
        lessons = [lesson for chapter in course.chapters for lesson in chapter.sections]
        assert any(lesson.free_trail for lesson in lessons), course.name


def test_degrees_have_modules_and_their_scholarship_is_covered(loaded: Flask) -> None:
    degrees = db.session.scalars(select(DegreeCourse)).all()
    assert len(degrees) == 3
    for degree in degrees:
        homework = [work for module in degree.modules for chapter in module.chapters for work in chapter.homework]
        promised = sum(work.scholarship_value for work in homework) + max(tier.value for tier in degree.scholarships)
        assert 3 <= len(degree.modules) <= 6
        assert len(degree.policies) == 1
        assert promised <= degree.total_scholarship
    assert db.session.scalar(select(func.count()).select_from(Homework)) >= 20


def test_coupons_of_every_kind_and_state_are_there(loaded: Flask) -> None:
    coupons = db.session.scalars(select(Coupon)).all()
    today = clock.local_date(clock.now())

    assert {(coupon.coupon_type, coupon.product_id is None) for coupon in coupons} == {
        (kind, is_site_wide) for kind in CouponKind for is_site_wide in (True, False)
    }
    assert {coupon.coupon_valid_days is None for coupon in coupons} == {True, False}
    assert any(coupon.open_date > today for coupon in coupons)
    assert any(coupon.quantity - coupon.claimed == 1 for coupon in coupons)
    assert any(not coupon.is_public for coupon in coupons)


def test_the_worked_example_of_the_source_can_be_bought(loaded: Flask) -> None:
    """domain.md 3.3: 599.00 with 立减 40 and 122.00, 满 500 减 200, 50 贝里 leaves 431.00."""
    luffy = db.session.scalars(select(Account).where(Account.username == "luffy")).one()
    records = db.session.scalars(select(CouponRecord).where(CouponRecord.account_id == luffy.id))
    held = {record.coupon.name: record.coupon for record in records}
    flat, site = held["Flask 实战立减 40"], held["扬帆季满 500 减 200"]
    others = db.session.scalars(select(PricePolicy.price_fen).where(PricePolicy.product_id != flat.product_id))

    assert (flat.coupon_type, flat.money_equivalent_fen) == (CouponKind.FLAT, 40_00)
    assert 599_00 in {plan.price_fen for plan in flat.product.policies}
    assert 122_00 in set(others)
    assert (site.coupon_type, site.product_id) == (CouponKind.THRESHOLD, None)
    assert (site.minimum_consume_fen, site.money_equivalent_fen) == (500_00, 200_00)
    assert luffy.balance >= 50


def test_every_video_of_the_demo_is_in_the_shop(loaded: Flask) -> None:
    videos = db.session.scalars(select(CourseSection).where(CourseSection.section_type == SectionType.VIDEO)).all()
    assert len(videos) >= 10
    for video in videos:
        file = STATIC / str(video.section_link).partition("#")[0].lstrip("/")
        assert file.is_file()
        assert file.stat().st_size < 300 * 1024


def test_everybody_can_log_in_and_every_role_is_there(loaded: Flask) -> None:
    people = db.session.scalars(select(Account)).all()

    assert {person.role for person in people} == set(Role)
    assert all(person.is_staff == (person.role is Role.ADMIN) for person in people)
    for login in demo.logins():
        assert accounts.authenticate(login.username, login.password) is not None


def test_balances_are_the_sum_of_their_records(loaded: Flask) -> None:
    for person in db.session.scalars(select(Account)):
        records = db.session.scalars(
            select(TransactionRecord).where(TransactionRecord.account_id == person.id).order_by(TransactionRecord.id)
        ).all()
        running = 0
        for record in records:
            running += record.transaction_type.sign * record.amount
            assert record.balance_after == running
        assert person.balance == running


def test_a_degree_is_under_way_with_work_for_its_mentor(loaded: Flask) -> None:
    having_one = select(EnrolledDegreeCourse).where(EnrolledDegreeCourse.mentor_id.is_not(None))
    enrolment = db.session.scalars(having_one).one()
    assert enrolment.study_status is StudyStatus.STUDYING
    assert enrolment.mentor is not None
    assert (enrolment.mentor.username, enrolment.mentor_fee_balance) == ("shenzhou", 1500)
    assert db.session.scalar(select(func.count()).select_from(HomeworkSubmission)) == 1
    assert db.session.scalar(select(func.count()).select_from(Question)) == 1
    assert_audit_clean()


def test_a_form_waits_at_the_desk_for_a_mentor(loaded: Flask) -> None:
    clerk = db.session.scalars(select(Account).where(Account.username == "staff")).one()
    [queue] = [each for each in desk.queues(clerks.roles_of(db.session(), clerk.id)) if each.queue.key == "forms"]
    assert queue.count == 1
    enrolment = db.session.scalars(select(EnrolledDegreeCourse).where(EnrolledDegreeCourse.mentor_id.is_(None))).one()
    assert enrolment.account.username == "vivi"
    assert_audit_clean()


def test_claims_are_counted(loaded: Flask) -> None:
    for coupon in db.session.scalars(select(Coupon)):
        held = select(func.count()).select_from(CouponRecord).where(CouponRecord.coupon_id == coupon.id)
        assert db.session.scalar(held) == coupon.claimed


def test_a_second_load_changes_nothing(loaded: Flask) -> None:
    tally = demo.load(clock.now())
    assert tally.total(Outcome.CREATED) == tally.total(Outcome.UPDATED) == 0


def test_a_load_days_later_moves_the_campaigns_and_nobody(loaded: Flask) -> None:
    """Windows count from the day of the load; whoever has an account keeps password, 贝里 and coupons."""
    tally = demo.load(clock.now() + timedelta(days=3))

    assert tally.total(Outcome.CREATED) == 0
    assert {kind for kind in tally.outcomes if tally.count(kind, Outcome.UPDATED)} == {"coupons"}


def test_the_commands_load_the_demo_and_show_its_logins(app: Flask) -> None:
    runner = app.test_cli_runner()
    loaded = runner.invoke(args=["demo", "load"])
    shown = runner.invoke(args=["demo", "logins"])

    assert (loaded.exit_code, shown.exit_code) == (0, 0)
    assert "degrees: 3 created" in loaded.output
    assert "luffy" in shown.output


def test_the_demo_is_not_loaded_into_production(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    production = replace(app.extensions["settings"], env="production")
    monkeypatch.setitem(app.extensions, "settings", production)
    done = app.test_cli_runner().invoke(args=["demo", "load"])

    assert done.exit_code == 1
    assert db.session.scalar(select(func.count()).select_from(Account)) == 0


def test_faults_of_the_demos_files_are_told_in_english(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "accounts.yaml").write_text("accounts: 10\n", encoding="utf-8")
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    done = app.test_cli_runner().invoke(args=["demo", "load"])

    assert done.exit_code == 1
    assert "accounts.yaml:1: accounts must be a list" in done.output
