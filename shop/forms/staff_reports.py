"""Which days a report tells of."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms.validators import ValidationError

from shop.enums import Preset
from shop.forms import Form
from shop.forms.staff import DayField, FilterChoice
from shop.rules.periods import MOST_DAYS, Period, of_preset

FIRST_DAY = date(2010, 1, 1)  # before there was a shop, and with room for a period before it


class PeriodForm(Form):
    """Stands in the address. Days that are given count; else the preset does."""

    preset = FilterChoice(_("时间段"), Preset, default=Preset.MONTH)
    since = DayField(_("从"))
    until = DayField(_("到"))

    def __init__(self, today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    @property
    def has_days(self) -> bool:
        return self.since.data is not None or self.until.data is not None

    @property
    def period(self) -> Period:
        if not self.has_days:
            return of_preset(self.preset.data, self._today)
        last = self.until.data or self._today
        return Period(self.since.data or last - timedelta(days=int(Preset.MONTH) - 1), last)

    def show(self, period: Period) -> None:
        """Fill in the days of a preset, to go on from."""
        for field, day in ((self.since, period.first), (self.until, period.last)):
            field.data, field.raw_data = day, None

    def validate_since(self, field: Any) -> None:
        if field.data is None:
            return
        if not FIRST_DAY <= field.data <= self._today:
            raise ValidationError(_("请选择 2010 年以后、今天或以前的日期。"))

    def validate_until(self, field: Any) -> None:
        self.validate_since(field)
        if field.errors or self.since.errors or not self.has_days:
            return
        if self.period.last < self.period.first:
            raise ValidationError(_("结束的日子不能早于开始的日子。"))
        if self.period.days > MOST_DAYS:
            raise ValidationError(_("最多选 %(most)s 天。", most=MOST_DAYS))
