"""In a browser: somebody new makes a course, is told what is missing, and a visitor sees it in the shop."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

from shop.enums import ProductStatus, StaffRole
from shop.extensions import db
from shop.models import Course, CourseSection, DegreeCourse
from shop.services import catalogue_export
from tests.browser.conftest import Judge, Open
from tests.browser.test_staff import log_in
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor

BUTTON = re.compile("^新建")


def add(clerk: Visitor, link: str | re.Pattern[str], **fields: str) -> None:
    clerk.main.get_by_role("link", name=link).last.click()
    clerk.fill_in(**fields)


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_a_course_comes_from_an_empty_form_into_the_shop(
    served: Flask, open_browser: Open, options: dict[str, object]
) -> None:
    clerk, visitor = open_browser(**options), open_browser(**options)
    log_in(clerk, StaffRole.OPERATIONS)
    clerk.press("课程管理", role="link")
    add(clerk, "新建课程", name="观星航海", brief="认得北极星，就不怕夜航。")
    clerk.main.locator("[name=sub_category_id]").select_option(index=1)
    clerk.main.locator("[name=teachers]").first.check()
    clerk.press("新建专题课", within=clerk.main)
    clerk.sees("还没有章节")
    clerk.sees("至少要有一个")
    clerk.expects("409")
    clerk.press("发布并上架")
    clerk.sees("还不能发布")
    add(clerk, "新增章节", name="夜空")
    clerk.press(BUTTON, within=clerk.main)
    add(clerk, re.compile("^新增课时"), name="北极星", content="# 怎么找")
    clerk.main.locator("[name=free_trail]").check()
    clerk.press(BUTTON, within=clerk.main)
    add(clerk, "新增价格方案", price_fen="88.00")
    clerk.main.locator("[name=valid_period]").select_option("30")
    clerk.press(BUTTON, within=clerk.main)
    clerk.sees("内容齐全")
    assert clerk.page.url.endswith("#plans")
    expect(clerk.page.locator("#plans")).to_be_in_viewport()
    expect(clerk.main.locator(".flash")).to_be_in_viewport()  # which has jumped along
    clerk.press("预览", role="link")
    clerk.sees("只有员工能看到")
    clerk.sees("88.00")
    product = clerk.page.url.split("/products/")[1].split("/")[0]
    visitor.expects("404")
    visitor.open(f"/courses/{product}")
    visitor.sees("没有")
    clerk.press("返回编辑", role="link")
    clerk.press("发布并上架")
    clerk.sees("访客现在可以看到")
    visitor.open("/courses?q=观星航海")
    visitor.main.get_by_role("link", name="观星航海").click()
    visitor.sees("88.00")
    visitor.main.get_by_role("link", name="北极星").click()
    visitor.sees("怎么找")


def test_the_catalogue_pages_are_good(visitor: Visitor, served: Flask, judge: Judge) -> None:
    session = db.session
    course = session.scalars(select(Course).where(Course.degree_course_id.is_(None))).first()
    degree = session.scalars(select(DegreeCourse)).first()
    lesson = session.scalars(select(CourseSection)).first()
    assert course and degree and lesson
    text = re.sub(r"slogan: .*", "slogan: 改过的", catalogue_export.export([course.id]))
    ids = (course.id, degree.id, degree.modules[0].id, lesson.id)
    session.rollback()
    log_in(visitor, StaffRole.OPERATIONS)
    home = "/staff/catalogue"
    pages = {
        "list": home,
        "degree": f"{home}/products/{ids[1]}",
        "module": f"{home}/products/{ids[2]}",
        "course-form": f"{home}/courses/{ids[0]}",
        "lesson-form": f"{home}/lessons/{ids[3]}",
        "categories": f"{home}/categories",
        "sale": f"{home}/sale?product={ids[0]}&product={ids[1]}&to={int(ProductStatus.OFF_SALE)}",
        "preview": f"{home}/products/{ids[0]}/preview",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, f"staff-catalogue-{name}")
    visitor.open(f"{home}/import")
    file = {"name": "school.yaml", "mimeType": "application/yaml", "buffer": text.encode()}
    visitor.main.locator("[name=file]").set_input_files(files=[file])
    visitor.press("检查文件，先不导入")
    visitor.sees("会带来 1 处改动")
    judge(visitor, "staff-catalogue-import")
