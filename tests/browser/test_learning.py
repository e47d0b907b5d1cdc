"""Learning in the browser: free lessons for strangers, video that plays, and the way into a degree (issue 2, 13)."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from shop.models import Account, CourseSection, EnrolledDegreeCourse, Product
from tests.browser.conftest import Judge
from tests.browser.rows import now_stored, page_of
from tests.browser.visitor import Visitor
from tests.cashier.parts import Cashier
from tests.refunding import asked, bought

DEGREE = "Python 全栈开发工程师"


def test_a_stranger_watches_a_free_lesson(visitor: Visitor) -> None:
    visitor.open(page_of("Flask Web 开发实战"))
    visitor.press("课程导览", role="link")
    visitor.sees("这是免费试看的一节")
    assert _plays(visitor.page.locator("video"))


def test_a_lesson_that_is_not_free_leads_to_the_course(visitor: Visitor) -> None:
    section = now_stored().query(CourseSection).filter_by(name="改变用 POST，查看用 GET").one()
    visitor.expects("403")
    visitor.sign_in("zoro", "compass-3377")
    assert visitor.open(f"/learning/sections/{section.id}").status == 403
    visitor.sees("这一课还不能打开")
    visitor.press("查看课程与购买", role="link")
    expect(visitor.page.locator("h1")).to_have_text("Flask Web 开发实战")


def test_a_degree_opens_its_first_module_after_the_form(visitor: Visitor) -> None:
    """Buy, file the registration form, open the first lesson of the first module."""
    visitor.sign_in("nami", "mikan-2033")
    visitor.buy_now(page_of(DEGREE), "9800.00")
    assert visitor.due() == "8934.00 元"  # 立减 800 for this degree, then 立减 66
    visitor.checkout()
    visitor.pay()
    visitor.sees("支付成功")
    visitor.press("填写学位课报名表", role="link", within=visitor.page.locator(".state"))
    visitor.sees("提交以后就不能自己修改")
    for control in visitor.main.locator("form :is(input[type=text], input:not([type]), textarea)").all():
        control.fill("12000" if control.get_attribute("inputmode") == "numeric" else "想成为能独立上线的人")
    visitor.main.locator("[name=work_experience]").select_option("应届生")
    visitor.main.locator("[name=salary_consent]").check()
    visitor.press("提交报名表")
    lesson = visitor.main.locator(".stage--here .lesson__name a").first
    expect(lesson).to_be_visible()
    lesson.click()
    expect(visitor.page).to_have_url(re.compile("/learning/sections/"))
    visitor.sees("课程目录")


def test_what_is_asked_back_rests_on_every_page(visitor: Visitor, alipay: Cashier, judge: Judge) -> None:
    """A degree and a course of one order: no lesson and no form is offered, and each page says why."""
    course = page_of("Flask Web 开发实战")
    ids = [int(path.rsplit("/", 1)[1]) for path in (page_of(DEGREE), course)]
    products = [now_stored().get_one(Product, product_id) for product_id in ids]
    zoro = now_stored().query(Account).filter_by(username="zoro").one()
    asked(zoro, bought(alipay, zoro, products))
    degree = now_stored().query(EnrolledDegreeCourse).filter_by(degree_course_id=ids[0], account_id=zoro.id).one()
    visitor.sign_in("zoro", "compass-3377")
    for name, path in {
        "resting": "/learning",
        "resting-course": f"/learning/courses/{ids[1]}",
        "resting-degree": f"/learning/degrees/{degree.id}",
        "resting-product": course,
    }.items():
        visitor.open(path)
        visitor.sees("退费处理中")
        expect(visitor.main.get_by_text(re.compile("^(去学习|继续学位课|填写报名表)$"))).to_have_count(0)
        judge(visitor, name)


def test_english_says_it_in_english_and_keeps_the_page(visitor: Visitor) -> None:
    visitor.open(page_of("Flask Web 开发实战"))
    path = visitor.path
    visitor.press("English")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "en")
    assert visitor.path == path
    expect(visitor.page.get_by_role("button", name=re.compile("cart", re.IGNORECASE))).to_be_visible()
    visitor.press("中文")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN")


def _plays(video: Locator) -> bool:
    """Whether the browser can decode it and time passes."""
    return bool(
        video.evaluate(
            """async (video) => {
              video.muted = true;
              await video.play();
              await new Promise((enough) => (video.ontimeupdate = () => video.currentTime > 0.2 && enough()));
              return video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
            }"""
        )
    )
