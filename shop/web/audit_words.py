"""How the audit log is read: "price_policy edit" 7 is 价格方案 · 修改, 价格方案 #7. Unknown words stay as they are."""

from __future__ import annotations

from flask import Flask
from flask_babel import gettext as _

from shop.models import AuditLog, Order
from shop.rules.staff_rights import Task
from shop.web.staff import may
from shop.wording import mark

AREAS = {
    mark("资金"): {
        "order": mark("订单"),
        "refund": mark("退款"),
        "trouble": mark("待认领款项"),
        "reconciliation": mark("对账"),
        "reconciliation_difference": mark("对账差异"),
        "withdrawal": mark("提现"),
        "gift": mark("发放"),
    },
    mark("优惠券"): {
        "coupon": mark("优惠券活动"),
        "coupon_code": mark("优惠码"),
        "coupon_record": mark("优惠券"),
    },
    mark("课程和学位课"): {
        "course": mark("课程"),
        "degree_course": mark("学位课"),
        "course_category": mark("课程大类"),
        "course_sub_category": mark("课程子类"),
        "course_outline": mark("课程大纲"),
        "course_chapter": mark("章节"),
        "course_section": mark("课时"),
        "homework": mark("作业"),
        "price_policy": mark("价格方案"),
        "scholarship": mark("奖学金"),
        "often_asked_question": mark("常见问题"),
        "teacher": mark("讲师"),
    },
    mark("学习和导师"): {
        "enrolled_degree_course": mark("学位报名"),
        "degree_registration_form": mark("报名表"),
        "study_record": mark("学位模块"),
        "study_leave": mark("休学"),
        "homework_submission": mark("交上的作业"),
        "complaint": mark("投诉"),
        "appeal": mark("申诉"),
        "score_rule": mark("奖惩规则"),
    },
    mark("账户和系统"): {
        "account": mark("账户"),
        "second_factor": mark("两步验证"),
        "recovery_code": mark("恢复码"),
        "audit_run": mark("审计"),
        "job_run": mark("任务"),
        "mail": mark("邮件"),
    },
}
SUBJECTS = {subject: words for area in AREAS.values() for subject, words in area.items()}
VERBS = {
    "approve": mark("同意"),
    "assign": mark("分配导师"),
    "begin": mark("开始"),
    "by hand": mark("手工运行"),
    "cancel transfer": mark("取消转账记录"),
    "change": mark("更改"),
    "close": mark("结案"),
    "codes": mark("生成优惠码"),
    "confirm": mark("确认转账"),
    "create": mark("新建"),
    "decide": mark("裁定"),
    "delete": mark("删除"),
    "deliver": mark("补开通"),
    "disable": mark("停用"),
    "drop": mark("清除"),
    "edit": mark("修改"),
    "enable": mark("恢复"),
    "end": mark("结束"),
    "end sessions": mark("结束登录"),
    "enrol": mark("启用"),
    "export": mark("导出个人数据"),
    "extend": mark("延长或加量"),
    "first approve": mark("第一人同意"),
    "give": mark("发放"),
    "give up": mark("放弃"),
    "grant": mark("提出并批准"),
    "import": mark("导入"),
    "inquiry": mark("询问支付宝"),
    "look": mark("查看个人信息"),
    "message": mark("再次通知"),
    "move": mark("调整顺序"),
    "note": mark("写备注"),
    "note done": mark("完成备注"),
    "open": mark("开通"),
    "pass": mark("人工通过"),
    "password link": mark("发密码链接"),
    "pay": mark("打款"),
    "propose": mark("提出"),
    "publish": mark("发布"),
    "read": mark("查看全文"),
    "refund": mark("原路退回"),
    "refuse": mark("拒绝"),
    "remark": mark("改成绩"),
    "reopen": mark("退回修改"),
    "resolve": mark("记录处理结果"),
    "resume": mark("恢复"),
    "retry": mark("再次发起"),
    "roles": mark("更改角色"),
    "run": mark("重新对账"),
    "sale": mark("上下架"),
    "send": mark("立即发送"),
    "send again": mark("再次发送"),
    "stop": mark("停止"),
    "take": mark("认领"),
    "transfer": mark("记录另行转账"),
    "use": mark("使用"),
    "withdraw": mark("撤回"),
}

PAGES = {  # by table: where a thing's page is found by its number, and who may open it
    "account": ("/staff/accounts/%s", Task.ACCOUNTS),
    "course": ("/staff/catalogue/products/%s", Task.CATALOGUE_READ),
    "degree_course": ("/staff/catalogue/products/%s", Task.CATALOGUE_READ),
    "coupon": ("/staff/coupons/%s", Task.COUPONS_READ),
    "enrolled_degree_course": ("/staff/studies/%s", Task.STUDIES_READ),
    "gift": ("/staff/gifts/%s", Task.GIFTS),
    "withdrawal": ("/staff/withdrawals/%s", Task.WITHDRAWALS),
    "complaint": ("/staff/complaints/%s", Task.COMPLAINTS_READ),
    "appeal": ("/staff/appeals/%s", Task.STUDIES_READ),
}


def action_words(action: str) -> str:
    """An action in the reader's language."""
    subject, space, verb = action.partition(" ")
    thing = _(SUBJECTS[subject]) if subject in SUBJECTS else subject
    return f"{thing} · {_(VERBS[verb]) if verb in VERBS else verb}" if space else thing


def subject_words(row: AuditLog) -> str:
    """What a row is about: its kind in the reader's language and its number, which a job does not have."""
    action_name = "order" if row.subject_table == Order.__tablename__ else row.subject_table
    kind = _(SUBJECTS[action_name]) if action_name in SUBJECTS else row.subject_table
    return f"{kind} #{row.subject_id}" if row.subject_id else kind


def subject_href(row: AuditLog) -> str:
    """The page of what a row is about; "" where there is none, none any more, or none for whoever reads."""
    place, task = PAGES.get(row.subject_table, ("", None))
    is_gone = row.action.endswith(" delete")
    return place % row.subject_id if task is not None and may(task) and not is_gone else ""


def init_app(app: Flask) -> None:
    app.jinja_env.filters["action_words"] = action_words
    app.jinja_env.filters["subject_words"] = subject_words
    app.jinja_env.filters["subject_href"] = subject_href
