"""Every reason the shop may refuse, one class and one number each (design 7), and where wording lives.

``text`` is for the person (translated, filled in from ``facts``), ``facts`` also go to the log.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _


class ShopError(Exception):
    """A refusal that the person can understand. Nothing was written when it is raised."""

    code = 0
    status = 409
    text: object = _("操作没有成功，请重试。")
    is_uncharged = True  # the page may promise that nothing was paid

    def __init__(self, **facts: object) -> None:
        super().__init__(type(self).__name__, facts)
        self.facts = facts

    @property
    def message(self) -> str:
        return str(self.text) % self.facts if self.facts else str(self.text)


class NegativeMoney(ShopError):
    code, status, text = 1001, 422, _("结算金额必须大于等于 0。")


class NotEnoughBeli(ShopError):
    code, text = 1002, _("贝里余额不足：需要 %(wanted)s 贝里，账户里有 %(balance)s 贝里。")


class OffSale(ShopError):
    code, text = 1003, _("「%(product)s」已经下架，暂时不能购买。")


class CourseCouponNotUsable(ShopError):
    code, text = 1004, _("课程优惠券「%(coupon)s」不能使用。")


class PolicyGone(ShopError):
    code, text = 1005, _("「%(product)s」的这个价格方案已经不存在，请重新选择。")


class SiteCouponNotUsable(ShopError):
    code, text = 1006, _("全站优惠券「%(coupon)s」不能使用。")


class AmountDiffers(ShopError):
    code, text = 1007, _("金额有变化：页面显示 %(shown)s 元，现在应付 %(due)s 元。")


class SettlementGone(ShopError):
    code, text = 1008, _("结算页已过期或被新的结算取代，请重新结算。")


class NothingToSettle(ShopError):
    code, text = 1009, _("没有选择要结算的课程。")


class CouponBelowMinimum(ShopError):
    code, text = 1011, _("优惠券「%(coupon)s」满 %(minimum)s 元可用，还差 %(missing)s 元。")


class MoreBeliThanDue(ShopError):
    code, text = 1012, _("最多可用 %(most)s 贝里，您填写了 %(wanted)s。")


class DegreeOwned(ShopError):
    code, text = 1013, _("您已经报名「%(product)s」，不需要再次购买。")


class UnpaidOrderExists(ShopError):
    code, text = 1014, _("「%(product)s」已有一张待支付的订单 %(order)s，请先支付或取消它。")


class NotFound(ShopError):
    status, text = 404, _("没有找到。")


class CartFull(ShopError):
    status, text = 422, _("购物车最多放 %(limit)s 门课程。")


class NotForSale(ShopError):
    status, text = 422, _("「%(product)s」不单独出售。")


class NoSuchPolicy(ShopError):
    status, text = 422, _("这个价格方案不属于该课程，请重新选择。")


class StaffDoNotBuy(ShopError):
    """Whoever sets prices and hands out coupons does not use them (safety.md 4)."""

    status, text = 403, _("员工账号不能购买课程，也不能领取优惠券。请使用您自己的学员账号。")


class MentorsOnly(ShopError):
    """A page of the mentors' desk, asked for by somebody else (safety.md 4)."""

    status, text = 403, _("这里是导师工作台，只有导师可以使用。")


class StaffOnly(ShopError):
    """A page of the staff, asked for by somebody who does not work here or has no role for it (safety.md 4)."""

    status, text = 403, _("您没有这个页面的权限。需要时请联系系统管理员。")


class ClaimRefused(ShopError):
    """A coupon that cannot be claimed: not yet, no longer, none left, or already in the wallet."""

    text = _("「%(coupon)s」现在不能领取：%(reason)s")


class CodeRefused(ShopError):
    """Unknown, foreign and used-up codes answer alike, so that codes cannot be probed."""

    status, text = 422, _("优惠码无效或已被使用。")


class TooManyTries(ShopError):
    status, text = 429, _("尝试次数过多，请 %(seconds)s 秒后再试。")


class NotYourTurn(ShopError):
    """An action on an order, a refund or an enrolment that its present state does not allow."""

    text = _("当前状态不能进行此操作。")


class OwnCase(NotYourTurn):
    """Nobody decides about their own money (safety.md 4)."""

    status, text = 403, _("不能处理与自己有关的款项，请让另一位同事处理。")


class AnotherPerson(NotYourTurn):
    """Two different persons have to say yes, and this one has, or is none."""

    text = _("这一步需要另一位同事：同一个人不能既提出又批准。")


class NotYourself(ShopError):
    """What one administrator does to another, and nobody to their own account."""

    text = _("不能对自己的账户执行这个操作，请让另一位系统管理员来做。")


class NotRefundable(ShopError):
    """Lines of an order that cannot be asked for, or whose money cannot go back the way it came."""

    text = _("现在不能退费：%(reason)s")


class AlipaySilent(ShopError):
    """Alipay gave no answer that can be believed, so nothing was decided."""

    is_uncharged = False

    text = _("支付宝暂时没有回答这一单是否已付款，订单保持不变。请稍后再试。")


class RedisDown(ShopError):
    """Carts, settlements and log-ins live in Redis; the catalogue and paid money do not need it."""

    status, text = 503, _("购物车和登录服务暂时不可用，请稍后再试。您的订单和付款不受影响。")


class BadNotice(Exception):
    """A message that Alipay cannot have sent, or not about us: not acknowledged, never stored."""
