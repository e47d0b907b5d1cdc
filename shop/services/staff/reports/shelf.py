"""Every report that there is: its name in the address, who may read it, and what makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shop.rules.periods import Period
from shop.rules.staff_rights import Task
from shop.services.staff.reports import (
    conversion,
    coupon_use,
    grading_times,
    mentor_fees,
    order_states,
    products,
    revenue,
    students,
)
from shop.services.staff.reports.sheet import Sheet
from shop.wording import mark as _


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    title: str  # texts of the catalogue
    brief: str
    task: Task
    make: Callable[[Period], Sheet]


REPORTS = (
    Report("revenue", _("收入与退款"), _("每天收了多少、退了多少，是否已对账。"), Task.REPORT_SALES, revenue.make),
    Report("orders", _("订单状态"), _("下的订单后来怎样了：付款、取消、退费。"), Task.REPORT_SALES, order_states.make),
    Report(
        "conversion", _("从购物车到付款"), _("每一步有多少人，在哪一步离开。"), Task.REPORT_CATALOGUE, conversion.make
    ),
    Report(
        "coupons",
        _("优惠券使用"),
        _("每张券用了几次、让了多少、带来多少收入。"),
        Task.REPORT_CATALOGUE,
        coupon_use.make,
    ),
    Report("courses", _("课程排行"), _("哪些课程卖得好，哪些退得多。"), Task.REPORT_CATALOGUE, products.make),
    Report("students", _("学员活跃"), _("每天多少人在学习、交作业。"), Task.REPORT_STUDIES, students.make),
    Report(
        "homework",
        _("作业等待时间"),
        _("作业等多久才批改，哪位导师超过时限。"),
        Task.REPORT_STUDIES,
        grading_times.make,
    ),
    Report("mentors", _("导师收入"), _("每月分得的费用、扣罚和到账。"), Task.REPORT_MENTORS, mentor_fees.make),
)
