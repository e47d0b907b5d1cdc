from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask import Flask

from shop import clock
from shop.enums import EnrolmentStatus, ModuleStatus, OrderStatus, RefundState, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import (
    Account,
    CourseSection,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Refund,
    RefundDetail,
)
from shop.rules.access import Access, Period, access_of, same_day_two_years_later
from shop.services import learning, registration, road
from shop.services.learning import NoAccess
from shop.services.registration import AlreadyFiled, Answers
from tests.builders import a_course, a_degree, a_student
from tests.degrees import ANSWERS
from tests.purchases import enrolled, enrolled_in_degree, saved, today
from tests.statements import counted

# ---------------------------------------------------------------- the rule of days

DAY = date(2026, 11, 30)


def _days(first: int, last: int, order: str = "A") -> Period:
    return Period(DAY + timedelta(days=first), DAY + timedelta(days=last), order)


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([], None),
        ([_days(0, 0)], Access(DAY, "A", is_open=True)),
        ([_days(-30, 0)], Access(DAY, "A", is_open=True)),
        ([_days(-30, -1)], Access(DAY - timedelta(days=1), "A", is_open=False)),
        ([_days(1, 9)], Access(DAY + timedelta(days=9), "A", is_open=False, begin_date=DAY + timedelta(days=1))),
        ([_days(-9, 5), _days(6, 36, "B")], Access(DAY + timedelta(days=36), "A", is_open=True)),
        ([_days(6, 36, "B"), _days(-9, 5)], Access(DAY + timedelta(days=36), "A", is_open=True)),
        ([_days(-9, 5), _days(-2, 3, "B")], Access(DAY + timedelta(days=5), "A", is_open=True)),
        ([_days(-9, 5), _days(7, 36, "B")], Access(DAY + timedelta(days=5), "A", is_open=True)),
    ],
    ids=["none", "first day", "last day", "over", "later", "renewed", "in any order", "overlap", "gap"],
)
def test_access_is_the_union_of_the_purchases(periods: list[Period], expected: Access | None) -> None:
    assert access_of(periods, DAY) == expected


def test_two_years_end_on_the_same_day_and_a_leap_day_on_the_one_before() -> None:
    assert same_day_two_years_later(date(2026, 11, 30)) == date(2028, 11, 30)
    assert same_day_two_years_later(date(2028, 2, 29)) == date(2030, 2, 28)


# ---------------------------------------------------------------- who may read


def _lessons(account: Account, course_id: int) -> tuple[CourseSection, CourseSection]:
    db.session.rollback()
    free, paid = (
        db.session.query(CourseSection).join(CourseSection.chapter).filter_by(course_id=course_id).order_by("order")
    )
    return free, paid


def _may_read(account: Account, course_id: int) -> bool:
    _free, paid = _lessons(account, course_id)
    return learning.may_read(account.id, paid, today())


def test_free_lesson_is_open_to_all_and_the_others_to_nobody_who_did_not_buy(app: Flask) -> None:
    account, course = a_student(), a_course()
    free, paid = _lessons(account, course.id)
    for reader in (None, account.id):
        assert learning.may_read(reader, free, today())
        assert not learning.may_read(reader, paid, today())


@pytest.mark.parametrize(
    ("begins", "ends", "is_open"),
    [(0, 30, True), (-30, 0, True), (-30, -1, False), (1, 30, False)],
    ids=["from the first day", "through the last day", "over", "not yet"],
)
def test_course_is_open_from_its_first_through_its_last_day(app: Flask, begins: int, ends: int, is_open: bool) -> None:
    account, course = a_student(), a_course()
    enrolled(account, course, begins, ends)
    assert _may_read(account, course.id) is is_open


def test_course_closed_by_a_refund_opens_nothing(app: Flask) -> None:
    account, course = a_student(), a_course()
    enrolled(account, course, closed_time=clock.now())
    assert not _may_read(account, course.id)


def test_course_marked_expired_opens_nothing(app: Flask) -> None:
    account, course = a_student(), a_course()
    enrolled(account, course, status=EnrolmentStatus.EXPIRED)
    assert not _may_read(account, course.id)


def test_one_living_purchase_is_enough(app: Flask) -> None:
    account, course = a_student(), a_course()
    enrolled(account, course, -60, -30)
    enrolled(account, course, closed_time=clock.now())
    enrolled(account, course)
    assert _may_read(account, course.id)


def test_purchase_opens_nothing_to_others_and_no_other_course(app: Flask) -> None:
    account, course, other = a_student(), a_course(), a_course()
    enrolled(account, course)
    assert not _may_read(a_student(), course.id)
    assert not _may_read(account, other.id)


def test_no_module_opens_before_the_form_is_filed_and_then_only_the_first(app: Flask) -> None:
    account, bought = a_student(), a_degree(modules=2)
    enrolment = enrolled_in_degree(account, bought)
    modules = [module.id for module in bought.modules]
    assert [_may_read(account, module) for module in modules] == [False, False]
    registration.file_registration(account.id, enrolment.id, ANSWERS, clock.now())
    assert [_may_read(account, module) for module in modules] == [True, False]


def test_module_opened_without_a_form_stays_shut(app: Flask) -> None:
    account, bought = a_student(), a_degree()
    enrolment = enrolled_in_degree(
        account, bought, valid_begin_date=today(), valid_end_date=today() + timedelta(days=700)
    )
    enrolment.study_records[0].status = ModuleStatus.STUDYING
    saved(enrolment)
    assert not _may_read(account, bought.modules[0].id)


def test_degree_that_is_over_or_refunded_opens_nothing(app: Flask) -> None:
    account, bought = a_student(), a_degree()
    enrolment = enrolled_in_degree(account, bought)
    registration.file_registration(account.id, enrolment.id, ANSWERS, clock.now())
    module = bought.modules[0].id
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment.id)
    enrolment.valid_begin_date, enrolment.valid_end_date = today() - timedelta(days=9), today() - timedelta(days=1)
    saved(enrolment)
    assert not _may_read(account, module)
    enrolment.valid_end_date = today()
    saved(enrolment)
    assert _may_read(account, module)
    enrolment.closed_time = clock.now()
    saved(enrolment)
    assert not _may_read(account, module)


# ---------------------------------------------------------------- 我的学习


def test_index_names_each_course_once_with_its_last_day_and_its_order(app: Flask) -> None:
    account, course, over = a_student(), a_course(name="续费的课"), a_course(name="过期的课")
    first = enrolled(account, course, 0, 30)
    enrolled(account, course, 31, 61)
    enrolled(account, over, -60, -30)
    enrolled(a_student(), a_course())
    view = learning.index(account.id, today())
    assert [own.name for own in view.courses] == ["续费的课", "过期的课"]
    assert view.courses[0].access.until_date == today() + timedelta(days=61)
    assert view.courses[0].access.order_number == first.order_detail.order.order_number
    assert not view.courses[1].access.is_open


def test_lesson_knows_what_comes_before_and_after(app: Flask) -> None:
    account, course = a_student(), a_course()
    enrolled(account, course)
    free, paid = _lessons(account, course.id)
    view = learning.lesson(account.id, paid.id, today())
    assert view.before is not None
    assert (view.before.id, view.after) == (free.id, None)
    trial = learning.lesson(None, free.id, today())
    assert (trial.before, trial.after) == (None, None)  # a visitor is not led to what is shut


def test_cost_of_a_page_does_not_grow_with_what_one_or_others_bought(app: Flask) -> None:
    account, course, bought = a_student(), a_course(), a_degree(modules=4)
    enrolled(account, course)
    enrolment = enrolled_in_degree(account, bought)
    _free, paid = _lessons(account, course.id)
    pages = {
        "index": lambda: learning.index(account_id, today()),
        "continue": lambda: learning.continue_with(account_id, today()),
        "course": lambda: learning.course(account_id, course_id, today()),
        "lesson": lambda: learning.lesson(account_id, lesson_id, today()),
        "degree": lambda: road.page(account_id, enrolment_id, today()),
    }
    account_id, course_id, lesson_id, enrolment_id = account.id, course.id, paid.id, enrolment.id
    limits = {"index": 2, "continue": 1, "course": 5, "lesson": 4, "degree": 9}
    for _ in range(2):
        for name, page in pages.items():
            db.session.rollback()
            with counted() as sent:
                page()
            assert len(sent) <= limits[name], (name, sent)
        for _ in range(5):
            enrolled(account, a_course())
            enrolled(a_student(), course)


def test_enrolment_of_somebody_else_is_not_found(app: Flask) -> None:
    enrolment = enrolled_in_degree(a_student(), a_degree())
    stranger = a_student().id
    for look in (
        lambda: road.page(stranger, enrolment.id, today()),
        lambda: registration.registration(stranger, enrolment.id),
        lambda: registration.file_registration(stranger, enrolment.id, ANSWERS, clock.now()),
    ):
        with pytest.raises(NotFound):
            look()


def test_course_that_was_never_bought_is_refused_with_where_to_buy_it(app: Flask) -> None:
    account, course, bought = a_student(), a_course(), a_degree()
    with pytest.raises(NoAccess) as refused:
        learning.course(account.id, course.id, today())
    assert (refused.value.product_id, refused.value.is_degree) == (course.id, False)
    with pytest.raises(NoAccess) as refused:
        learning.course(account.id, bought.modules[0].id, today())
    assert (refused.value.product_id, refused.value.is_degree) == (bought.id, True)


# ---------------------------------------------------------------- the registration form


def test_filing_the_form_opens_the_first_module_for_two_years(app: Flask) -> None:
    account, bought = a_student(), a_degree(modules=3)
    enrolment_id = enrolled_in_degree(account, bought).id
    registration.file_registration(account.id, enrolment_id, ANSWERS, clock.now())
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment_id)
    assert enrolment.study_status is StudyStatus.STUDYING
    assert (enrolment.valid_begin_date, enrolment.valid_end_date) == (today(), same_day_two_years_later(today()))
    locked = ModuleStatus.LOCKED
    assert [record.status for record in enrolment.study_records] == [ModuleStatus.STUDYING, locked, locked]
    assert enrolment.study_records[0].open_date == today()
    assert enrolment.registration is not None
    assert enrolment.registration.current_company == "草帽海贼团"


def test_filing_without_opening_a_module_starts_nothing(app: Flask) -> None:
    account = a_student()
    enrolment_id = enrolled_in_degree(account, a_degree()).id
    without = Answers(**{name: getattr(ANSWERS, name) for name in Answers.__slots__} | {"open_module": False})
    registration.file_registration(account.id, enrolment_id, without, clock.now())
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment_id)
    assert (enrolment.study_status, enrolment.valid_begin_date) == (StudyStatus.NOT_STARTED, None)
    assert enrolment.study_records[0].status is ModuleStatus.LOCKED


def test_form_is_filed_once(app: Flask) -> None:
    account = a_student()
    enrolment_id = enrolled_in_degree(account, a_degree()).id
    registration.file_registration(account.id, enrolment_id, ANSWERS, clock.now())
    with pytest.raises(AlreadyFiled):
        registration.file_registration(account.id, enrolment_id, ANSWERS, clock.now())
    assert db.session.query(DegreeRegistrationForm).count() == 1


@pytest.mark.parametrize(
    "state", [RefundState.REQUESTED, RefundState.APPROVED, RefundState.IN_TRANSIT, RefundState.FAILED]
)
def test_form_is_not_taken_while_the_money_is_on_its_way_back(app: Flask, state: RefundState) -> None:
    account = a_student()
    enrolment = enrolled_in_degree(account, a_degree())
    line = enrolment.order_detail
    line.order.status = OrderStatus.REFUND_REQUESTED
    part = RefundDetail(order_detail_id=line.id, amount_fen=0, beli=0)
    saved(Refund(order_id=line.order_id, out_request_no="R1", amount_fen=0, state=state, details=[part]))
    with pytest.raises(NotYourTurn):
        registration.file_registration(account.id, enrolment.id, ANSWERS, clock.now())
    assert db.session.query(DegreeRegistrationForm).count() == 0
