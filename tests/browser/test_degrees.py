"""A degree in a browser: the form, the road, handing in, grading, an appeal and a withdrawal; at a desk, on a phone,
and with scripts off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from shop import clock
from shop.enums import Purse, Rule, StudyStatus
from shop.extensions import unit_of_work
from shop.models import Account, Appeal, DegreeCourse, EnrolledDegreeCourse, ScoreRecord, Withdrawal
from shop.services import appeals, enrolled_degrees, purses, withdrawals
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open, Take
from tests.browser.rows import give_beli, now_stored
from tests.browser.visitor import PHONE, WITHOUT_SCRIPTS, Visitor
from tests.purchases import enrolled_in_degree

DEGREE = "Python 全栈开发工程师"
ZORO, ROBIN, SHENZHOU = ("zoro", "compass-3377"), ("robin", "library-9042"), ("shenzhou", "mentor-6601")
WAYS = {"desktop": {}, "phone": PHONE, "plain": WITHOUT_SCRIPTS}
FORM = {
    "current_company": "草帽海贼团",
    "current_position": "剑士",
    "why_take_this_course": "想给刀铺做一个网站。",
    "why_choose_us": "有导师看作业。",
    "your_expectation": "半年内上线。",
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def somebody(open_browser: Open, way: str) -> Visitor:
    return open_browser(**WAYS[way])


def account_of(username: str) -> Account:
    return now_stored().query(Account).filter_by(username=username).one()


def studying() -> EnrolledDegreeCourse:
    """Robin's degree, which the demo has under way."""
    return now_stored().query(EnrolledDegreeCourse).filter_by(account_id=account_of("robin").id).one()


def test_the_form_keeps_a_draft_explains_its_faults_and_opens_the_first_module(
    somebody: Visitor, way: str, take: Take
) -> None:
    degree = now_stored().query(DegreeCourse).filter_by(name=DEGREE).one()
    enrolment_id = enrolled_in_degree(account_of("zoro"), degree).id
    somebody.sign_in(*ZORO)
    somebody.open("/learning")
    somebody.press("填写报名表", role="link", within=somebody.main)
    somebody.fill_in(**(FORM | {"why_choose_us": "", "current_salary": "73519"}))
    somebody.press("保存草稿")
    somebody.sees("草稿已保存")
    somebody.sees("月薪没有保存")
    expect(somebody.main.locator('[name="current_company"]')).to_have_value("草帽海贼团")

    somebody.main.locator('[name="current_salary"]').fill("73519")
    somebody.main.locator("form#registration").evaluate("form => form.noValidate = true") if way != "plain" else None
    somebody.fill_in(why_choose_us="   ")
    somebody.main.locator('[name="work_experience"]').select_option("2")
    somebody.expects(r"422")
    somebody.press("提交报名表")
    somebody.sees("填写月薪需要同时勾选下面的同意")
    expect(somebody.main.locator('[name="current_position"]')).to_have_value("剑士")
    take(somebody, f"degree-form-errors-{way}")

    somebody.fill_in(why_choose_us=FORM["why_choose_us"])
    somebody.main.locator('[name="salary_consent"]').check()
    somebody.press("提交报名表")
    somebody.page.wait_for_url(f"**/learning/degrees/{enrolment_id}")
    somebody.sees("模块一：Python 基础与工程习惯")
    take(somebody, f"degree-road-begun-{way}")
    assert now_stored().get_one(EnrolledDegreeCourse, enrolment_id).study_status is StudyStatus.STUDYING
    assert_audit_clean()


def test_work_is_handed_in_graded_and_seen(open_browser: Open, way: str, take: Take, tmp_path: Path) -> None:
    enrolment_id = studying().id
    student = open_browser(**WAYS[way]).sign_in(*ROBIN)
    student.open(f"/learning/degrees/{enrolment_id}")
    take(student, f"degree-road-{way}")
    student.main.get_by_role("link", name=re.compile("作业二：日志统计")).first.click()
    student.fill_in(content="统计脚本见附件，仓库在 https://example.com/robin/logs")
    work = tmp_path / "statistics.py"
    work.write_text("print('每小时的错误数量')\n", encoding="utf-8")
    student.main.locator('[name="files"]').set_input_files(work)
    student.press("提交作业")
    student.sees("待批改")
    student.sees("statistics.py")
    take(student, f"degree-homework-{way}")

    mentor = open_browser(**WAYS[way]).sign_in(*SHENZHOU)
    mentor.open("/mentor")
    take(mentor, f"mentor-home-{way}")
    mentor.open("/mentor/homework")
    take(mentor, f"mentor-queue-{way}")
    mentor.main.get_by_role("link", name=re.compile("作业一：通讯录")).first.click()
    take(mentor, f"mentor-grading-{way}")
    mentor.main.locator('input[name="score"][value="90"]').check(force=True)
    mentor.fill_in(comment="结构清楚，备份的做法很好。")
    mentor.press("查看并确认")
    mentor.press(re.compile("^确认成绩"))
    mentor.sees("作业二：日志统计")  # the next one that waits
    with mentor.page.expect_download() as download:
        mentor.main.get_by_role("link", name=re.compile(r"statistics\.py")).first.click()
    assert download.value.suggested_filename == "statistics.py"

    student.open("/messages")
    student.sees("作业一：通讯录")
    student.open(f"/learning/degrees/{enrolment_id}/rewards")
    student.sees("113")  # 90 % of 120, and 5 for punctuality
    take(student, f"degree-rewards-{way}")
    assert studying().reward_balance == 113
    assert_audit_clean()


def test_a_fine_is_appealed_against_and_taken_back(open_browser: Open, way: str, take: Take) -> None:
    enrolment_id = studying().id
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        purses.fine(session, enrolment, Purse.FEE, Rule.NO_FOLLOW_UP, Cause("of the test"), clock.now())
    mentor = open_browser(**WAYS[way]).sign_in(*SHENZHOU)
    mentor.open("/mentor/earnings")
    mentor.sees("1470")
    take(mentor, f"mentor-earnings-{way}")
    mentor.main.get_by_role("link", name=re.compile("申诉")).first.click()
    mentor.fill_in(content="当天在微信上聊过一个小时，记录晚填了一天。")
    mentor.press("提交申诉")
    mentor.sees(re.compile("申诉"))
    fine = now_stored().query(ScoreRecord).filter_by(event="of the test").one()
    waiting = now_stored().query(Appeal).filter_by(score_record_id=fine.id).one()
    appeals.decide(waiting.id, upheld=True, actor=Actor("clerk", account_of("staff").id), reason="记录属实")
    mentor.open("/mentor/earnings")
    mentor.sees("1500")
    assert studying().mentor_fee_balance == 1500
    assert_audit_clean()


def test_a_mentor_withdraws_and_two_people_pay(open_browser: Open, way: str, take: Take) -> None:
    give_beli("shenzhou", 500)
    mentor = open_browser(**WAYS[way]).sign_in(*SHENZHOU)
    mentor.open("/mentor/withdrawals")
    mentor.fill_in(
        amount="300",
        payee_account="shenzhou@example.com",
        payee_name="沈舟",
        password="mentor-6601",
    )
    take(mentor, f"mentor-withdrawal-{way}")
    mentor.press("提交提现申请")
    mentor.sees("待审核")
    assert account_of("shenzhou").balance == 200
    request = now_stored().query(Withdrawal).one()
    withdrawals.approve(request.id, actor=Actor("treasurer", account_of("treasurer").id), reason="核对无误")
    withdrawals.pay(request.id, actor=Actor("purser", account_of("purser").id), payment_number="2026112400001")
    mentor.open("/mentor/withdrawals")
    mentor.sees("已打款")
    assert "shenzhou@example.com" not in mentor.page.content()
    assert_audit_clean()


@pytest.mark.parametrize(
    ("who", "path"),
    [
        (ROBIN, ""),
        (ROBIN, "/leave"),
        (ROBIN, "/questions"),
        (ROBIN, "/complaints"),
        (ROBIN, "/rewards"),
        (SHENZHOU, "/mentor"),
        (SHENZHOU, "/mentor/homework"),
        (SHENZHOU, "/mentor/questions"),
        (SHENZHOU, "/mentor/earnings"),
        (SHENZHOU, "/mentor/withdrawals"),
    ],
    ids=lambda value: value.strip("/").replace("/", "-") or "road" if isinstance(value, str) else value[0],
)
def test_every_page_is_good(visitor: Visitor, judge: Judge, who: tuple[str, str], path: str) -> None:
    visitor.sign_in(*who)
    visitor.open(path if path.startswith("/mentor") else f"/learning/degrees/{studying().id}{path}")
    judge(visitor, f"degree-{who[0]}{path.replace('/', '-')}")


def test_the_form_a_homework_and_a_students_page_are_good(open_browser: Open, judge: Judge) -> None:
    degree = now_stored().query(DegreeCourse).filter_by(name=DEGREE).one()
    enrolment_id = enrolled_in_degree(account_of("zoro"), degree).id
    zoro = open_browser().sign_in(*ZORO)
    zoro.open(f"/degrees/enrolments/{enrolment_id}/registration")
    judge(zoro, "degree-form")
    robin = open_browser().sign_in(*ROBIN)
    robin.open(f"/degrees/enrolments/{studying().id}/registration")
    judge(robin, "degree-form-filed")
    robin.open(f"/learning/degrees/{studying().id}")
    robin.main.get_by_role("link", name=re.compile("作业一：通讯录")).first.click()
    judge(robin, "degree-homework-waiting")
    mentor = open_browser().sign_in(*SHENZHOU)
    mentor.open(f"/mentor/students/{studying().id}")
    judge(mentor, "mentor-student")
    mentor.open("/mentor/homework")
    mentor.main.get_by_role("link", name=re.compile("作业一：通讯录")).first.click()
    judge(mentor, "mentor-grading")
