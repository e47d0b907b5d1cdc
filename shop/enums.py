"""The field's choices, each a number (as the source stores it) that knows its Chinese label."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from flask_babel import gettext


def _(text: str) -> str:
    """Marks a text for the message catalogue; ``Choice.label`` translates it."""
    return text


class Choice(IntEnum):
    """An integer choice with a label: ``OrderStatus.PENDING.label`` is 待支付 in the reader's language."""

    chinese: str  # the label in the language of the sources, whoever reads: for what is stored

    def __new__(cls, number: int, label: str = "") -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.chinese = label
        return member

    @property
    def label(self) -> str:
        return str(gettext(self.chinese))


class Month(Choice):
    """For days in sentences: 11月30日, 30 Nov."""

    JANUARY = 1, _("1月")
    FEBRUARY = 2, _("2月")
    MARCH = 3, _("3月")
    APRIL = 4, _("4月")
    MAY = 5, _("5月")
    JUNE = 6, _("6月")
    JULY = 7, _("7月")
    AUGUST = 8, _("8月")
    SEPTEMBER = 9, _("9月")
    OCTOBER = 10, _("10月")
    NOVEMBER = 11, _("11月")
    DECEMBER = 12, _("12月")


class ProductKind(Choice):
    COURSE = 0, _("专题课")
    DEGREE = 1, _("学位课")


class ProductStatus(Choice):
    ON_SALE = 0, _("上线")
    OFF_SALE = 1, _("下线")
    COMING = 2, _("预上线")


class CourseType(Choice):
    PAID = 0, _("付费")
    VIP = 1, _("VIP专享")
    MODULE = 2, _("学位课程模块")


class Level(Choice):
    BEGINNER = 0, _("初级")
    INTERMEDIATE = 1, _("中级")
    ADVANCED = 2, _("高级")


class TeacherRole(Choice):
    LECTURER = 0, _("讲师")
    MENTOR = 1, _("导师")


class SectionType(Choice):
    DOCUMENT = 0, _("文档")
    EXERCISE = 1, _("练习")
    VIDEO = 2, _("视频")


class HomeworkType(Choice):
    HOMEWORK = 0, _("作业")
    FINAL = 1, _("模块通关考核")


class ValidPeriod(Choice):
    """Days of access a plan sells. The source's 210 for 12个月 is a data fault: 360 here."""

    DAY = 1, _("1天")
    THREE_DAYS = 3, _("3天")
    WEEK = 7, _("1周")
    TWO_WEEKS = 14, _("2周")
    MONTH = 30, _("1个月")
    TWO_MONTHS = 60, _("2个月")
    THREE_MONTHS = 90, _("3个月")
    SIX_MONTHS = 180, _("6个月")
    YEAR = 360, _("12个月")
    EIGHTEEN_MONTHS = 540, _("18个月")
    TWO_YEARS = 720, _("24个月")


class Role(Choice):
    STUDENT = 0, _("学员")
    MENTOR = 1, _("导师")
    LECTURER = 2, _("讲师")
    ADMIN = 3, _("员工")


class StaffRole(Choice):
    """What a member of staff works at; rights go by it (``shop.rules.staff_rights``)."""

    OPERATIONS = 0, _("运营")
    REGISTRY = 1, _("教务")
    FINANCE = 2, _("财务")
    SERVICE = 3, _("客服")
    ADMIN = 4, _("系统管理")


class Gender(Choice):
    UNKNOWN = 0, _("保密")
    MALE = 1, _("男")
    FEMALE = 2, _("女")


class CouponKind(Choice):
    FLAT = 0, _("立减券")
    THRESHOLD = 1, _("满减券")
    PERCENT = 2, _("折扣券")


class CouponStatus(Choice):
    UNUSED = 0, _("未使用")
    USED = 1, _("已使用")
    EXPIRED = 2, _("已过期")


class WhyNot(Choice):
    """Why a coupon is not used in a settlement; ``shop.rules.coupons.Reason`` fills in the numbers."""

    HELD = 0, _("已被待支付的订单 %(order)s 占用")
    EXPIRED = 1, _("已于%(month)s%(day)s日过期")
    STARTS_LATER = 2, _("%(month)s%(day)s日起可用")
    OTHER_PRODUCT = 3, _("所属课程不在本次结算中")
    FREE_LINE = 4, _("课程免费，不需要用券")
    BELOW_MINIMUM = 5, _("还差 %(missing)s 元")
    BREAKS_SITE_MINIMUM = 6, _("用了它，全站券「%(site)s」还差 %(missing)s 元")
    SAVES_NOTHING = 7, _("用了也不会更便宜")
    SAVES_SAME = 8, _("与已选的省得一样多")
    SAVES_LESS = 9, _("比已选的少省 %(less)s 元")
    SAVES_MORE = 10, _("比已选的多省 %(more)s 元")


class Slip(Choice):
    """What somebody who types a campaign may not have meant; the numbers come as facts (``shop.rules.rehearsal``)."""

    TENTH = (
        0,
        _("%(percent)s 是 %(fold)s 折，学员只付 %(percent)s%%。如果想打 %(percent)s 折，请写 %(tenfold)s。"),
    )
    BELOW_HALF = 1, _("学员只付 %(percent)s%%，少收一半以上。")
    FACE_OVER_PRICE = 2, _("面额 %(face)s 元不低于「%(name)s」最便宜的方案（%(price)s 元），这个方案会变成免费。")
    MINIMUM_WITHIN_FACE = 3, _("满 %(minimum)s 元减 %(face)s 元：刚好达到最低消费的订单会变成免费。")
    LARGE = 4, _("%(quantity)s 张全部用掉时，最多少收 %(amount)s 元。")
    CLAIM_OVER = 5, _("领取窗口在 %(day)s 就结束了，谁也领不到。")
    USE_OVER = 6, _("可用的日期到 %(day)s 为止，已经过去了，领到也不能用。")
    OFF_SALE = 7, _("「%(name)s」现在不在售，领到也用不上。")
    OUT_OF_REACH = 8, _("最低消费 %(minimum)s 元高于「%(name)s」最贵的方案（%(price)s 元），没有人用得上。")


class PaymentType(Choice):
    WECHAT = 0, _("微信")
    ALIPAY = 1, _("支付宝")
    COUPON = 2, _("优惠码")
    BELI = 3, _("贝里")


class OrderStatus(Choice):
    PAID = 0, _("交易成功")
    PENDING = 1, _("待支付")
    REFUND_REQUESTED = 2, _("退费申请中")
    REFUNDED = 3, _("已退费")
    CANCELLED = 4, _("主动取消")
    TIMED_OUT = 5, _("超时取消")


class PaymentMethod(Choice):
    """How an attempt shows the buyer Alipay's page; frozen with the attempt."""

    PAGE = 0, _("电脑网站支付")
    WAP = 1, _("手机网站支付")


class PaymentState(Choice):
    """An attempt at Alipay. SURPLUS is money that its order could not use: it goes back to the payer."""

    OPEN = 0, _("等待付款")
    PAID = 1, _("已付款")
    CLOSED = 2, _("已关闭")
    SURPLUS = 3, _("待退回")


class NoticeVerdict(Choice):
    """What was decided about a message with a valid signature."""

    APPLIED = 0, _("已入账")
    REPEATED = 1, _("重复")
    IGNORED = 2, _("无需处理")
    REFUSED = 3, _("拒绝")


class RefundState(Choice):
    REQUESTED = 0, _("待审核")
    APPROVED = 1, _("已同意")
    IN_TRANSIT = 2, _("退款中")
    DONE = 3, _("已退款")
    FAILED = 4, _("退款失败")
    REFUSED = 5, _("已拒绝")
    WITHDRAWN = 6, _("已撤回")


class RefundCause(Choice):
    """Why money goes back. Only a student's request and one by staff concern lines of the order."""

    STUDENT = 0, _("学员申请")
    LATE = 1, _("付款到账时订单已结束")
    DOUBLE = 2, _("重复付款")
    WRONG_AMOUNT = 3, _("付款金额不符")
    STAFF = 4, _("客服退款")
    GATEWAY = 5, _("在支付宝侧退款")  # begun there, recorded here


class TroubleKind(Choice):
    """Money at Alipay that the shop believes in and cannot book."""

    WRONG_AMOUNT = 0, _("付款金额与订单不符")
    SECOND_TRADE = 1, _("同一付款号出现另一笔交易")
    UNKNOWN_TRADE = 2, _("找不到对应的订单")
    FOREIGN_REFUND = 3, _("支付宝侧发起的退款")


class DifferenceKind(Choice):
    """In what a bill of Alipay and the shop's books disagree."""

    MISSED_PAYMENT = 0, _("账单有付款，商城未入账")
    LATE = 1, _("订单结束后到账")
    DOUBLE = 2, _("重复付款")
    AMOUNT = 3, _("金额不一致")
    UNKNOWN_TRADE = 4, _("商城没有这笔交易")
    FOREIGN_REFUND = 5, _("账单有退款，商城未发起")
    REFUND_AMOUNT = 6, _("退款金额不一致")
    MISSED_REFUND = 7, _("退款已到账，商城未确认")
    PAYMENT_MISSING = 8, _("商城已入账，账单没有付款")
    REFUND_MISSING = 9, _("商城已退款，账单没有退款")
    TRADE_NUMBER = 10, _("交易号不一致")
    FOOTER = 11, _("账单合计与明细不符")
    LEDGER = 12, _("订单与贝里账不符")


class MailState(Choice):
    """UNCERTAIN: the process died while sending. It may have arrived, so it is not sent again by itself."""

    WAITING = 0, _("待发送")
    SENDING = 1, _("发送中")
    SENT = 2, _("已发送")
    FAILED = 3, _("发送失败")
    UNCERTAIN = 4, _("结果未知")


class TransactionType(Choice):
    """贝里 moves; amounts are positive, the type gives the direction."""

    INCOME = 0, _("收入")
    EXPENSE = 1, _("支出")
    REFUND = 2, _("退款")
    WITHDRAWAL = 3, _("提现")

    @property
    def sign(self) -> int:
        return 1 if self in (TransactionType.INCOME, TransactionType.REFUND) else -1


class EnrolmentStatus(Choice):
    OPEN = 0, _("已开通")
    EXPIRED = 1, _("已过期")


class StudyStatus(Choice):
    STUDYING = 0, _("在学中")
    ON_LEAVE = 1, _("休学中")
    GRADUATED = 2, _("已毕业")
    OVERTIME = 3, _("超时结业")
    NOT_STARTED = 4, _("未开始")


class ModuleStatus(Choice):
    DONE = 0, _("已完成")
    LOCKED = 1, _("未开通")
    STUDYING = 2, _("在学")


class WorkExperience(Choice):
    GRADUATE = 0, _("应届生")
    ONE = 1, _("1年")
    TWO = 2, _("2年")
    THREE = 3, _("3年")
    FOUR = 4, _("4年")
    FIVE = 5, _("5年")
    SIX = 6, _("6年")
    SEVEN = 7, _("7年")
    EIGHT = 8, _("8年")
    NINE = 9, _("9年")
    TEN = 10, _("10年")
    MORE = 11, _("超过10年")


class StudyPlan(Choice):
    ONE_TO_TWO = 0, _("1-2小时/天")
    TWO_TO_THREE = 1, _("2-3小时/天")
    THREE_TO_FIVE = 2, _("3-5小时/天")
    FIVE_PLUS = 3, _("5小时+/天")


class Score(Choice):
    """Marks, not arithmetic: D, N/A and COPY are sentinels (A32)."""

    A_PLUS = 100, "A+"
    A = 90, "A"
    B_PLUS = 85, "B+"
    B = 80, "B"
    B_MINUS = 70, "B-"
    C_PLUS = 60, "C+"
    C = 50, "C"
    C_MINUS = 40, "C-"
    D = -1, "D"
    NA = 0, "N/A"
    COPY = -100, "COPY"


class HomeworkStatus(Choice):
    WAITING = 0, _("待批改")
    PASSED = 1, _("已通过")
    FAILED = 2, _("不合格")


class RewardStatus(Choice):
    NEW = 0, _("新提交")
    ON_TIME = 1, _("按时提交")
    LATE = 2, _("未按时提交")
    REWARDED = 3, _("成绩已奖励")
    PUNISHED = 4, _("成绩已处罚")
    UNCHECKED = 5, _("未作按时检测")


class FollowUpTool(Choice):
    QQ = 0, "QQ"
    WECHAT = 1, _("微信")
    PHONE = 2, _("电话")
    SYSTEM = 3, _("系统通知")


class Rule(Choice):
    LATE_HOMEWORK = 0, _("未按时交作业")
    LATE_GRADING = 1, _("未及时批改作业")
    HOMEWORK_SCORE = 2, _("作业成绩")
    NO_FOLLOW_UP = 3, _("未在规定时间内对学员进行跟进")
    NO_ANSWER = 4, _("未在规定时间内回复学员问题")
    COMPLAINT = 5, _("收到学员投诉")
    MENTOR = 6, _("导师相关")
    SCHOLARSHIP = 7, _("学位奖学金")


class ScoreType(Choice):
    REWARD = 0, _("奖励")
    PENALTY = 1, _("惩罚")
    INITIAL = 2, _("初始分配")


class QuestionStatus(Choice):
    WAITING = 0, _("待解答")
    ANSWERED = 1, _("已解答")
    CLOSED = 2, _("已关闭")


class WithdrawalState(Choice):
    WAITING = 0, _("待审核")
    PAID = 1, _("已打款")
    REFUSED = 2, _("已驳回")
    APPROVED = 3, _("待打款")  # one person has said yes, another pays


class GiftKind(Choice):
    """What staff give a person by hand."""

    BELI = 0, _("贝里")
    COUPON = 1, _("优惠券")


class GiftState(Choice):
    WAITING = 0, _("待审核")
    GIVEN = 1, _("已发放")
    REFUSED = 2, _("已驳回")
    WITHDRAWN = 3, _("已撤回")


class Preset(Choice):
    """Periods that end today, today included; and the month before this one."""

    WEEK = 7, _("最近 7 天")
    MONTH = 30, _("最近 30 天")
    QUARTER = 90, _("最近 90 天")
    THIS_MONTH = 1, _("本月")
    LAST_MONTH = 2, _("上月")


class VisitStep(Choice):
    """What people do on their way to a purchase, and after it."""

    CART = 0, _("加入购物车")
    SETTLEMENT = 1, _("进入结算")
    LEARNING = 2, _("学习")


class Purse(Choice):
    """Whose money of an enrolment: what it earns the student, or the fee of its mentor."""

    REWARDS = 0, _("奖学金")
    FEE = 1, _("导师费用")


class ComplaintState(Choice):
    """Also of a mentor's appeal against a penalty."""

    WAITING = 0, _("待处理")
    UPHELD = 1, _("成立")
    DISMISSED = 2, _("不成立")


class MessageType(Choice):
    """Events worth a message to a person (domain.md 1.2)."""

    REWARD = 0, _("奖惩通知")
    ORDER = 1, _("订单通知")
    COURSE_ENROLMENT = 2, _("专题课程报名")
    COURSE_EXPIRY = 3, _("课程过期")
    REVIEW = 4, _("课程评论")
    COUPON = 5, _("优惠券通知")
    COURSE_START = 6, _("课程开课通知")
    HOMEWORK = 7, _("学位课程作业")
    QUESTION = 8, _("学位课程问答")
    DEGREE_ENROLMENT = 12, _("学位课程报名")
    MENTOR = 13, _("导师分配通知")
    STUDY = 15, _("学位学习事务通知")
    OTHER = 16, _("其他")


class Gap(Choice):
    """What a product lacks before it may be shown (``shop.rules.publishing``); the label takes %(name)s."""

    NO_PLAN = 0, _("还没有价格方案：至少要有一个。")
    NO_CHAPTER = 1, _("「%(name)s」还没有章节。")
    EMPTY_CHAPTER = 2, _("「%(name)s」还没有课时。")
    NO_VIDEO = 3, _("视频课时「%(name)s」还没有视频地址。")
    NO_TEXT = 4, _("课时「%(name)s」还没有正文。")
    ONE_PLAN = 5, _("学位课要有且只有一个 24个月 的价格方案。")
    NO_MODULE = 6, _("学位课至少要有一个模块。")
    NO_HOMEWORK = 7, _("学位课至少要有一个模块带有启用的作业，否则没有人能毕业。")
    DRAFT_DEGREE = 8, _("学位课「%(name)s」还没有发布：模块会和它一起发布。")


class Oddity(Choice):
    """Nothing forbids it, but it looks like a slip."""

    FREE = 0, _("有一个方案的价格是 0 元。")
    CHEAPER_LONGER = 1, _("有一个更长的有效期比更短的便宜。")
    NO_TEACHER = 2, _("还没有选择讲师。")
    SCHOLARSHIP = 3, _("作业奖学金加最高一档毕业奖学金是 %(name)s 贝里，超过了奖学金总额。")
    MODULE_WITHOUT_HOMEWORK = 4, _("模块「%(name)s」没有作业，只能由教务手动通过。")
