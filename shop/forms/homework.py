"""What the pages of homework send: a hand-in, and a mark."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import Field, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError

from shop.enums import Score
from shop.forms import Form, TextField, conditional, length, required
from shop.forms.uploads import FilesField
from shop.rules.rewards import is_passed
from shop.services.grading import LONGEST_COMMENT
from shop.services.homework import LONGEST_TEXT

CHECK, CHANGE, GRADE = "check", "change", "grade"
MARKS = {str(int(score)): score for score in Score}


class HandInForm(Form):
    content = TextField(
        _("说明"), [required(), length(1, LONGEST_TEXT)], render_kw={"maxlength": LONGEST_TEXT, "rows": 8}
    )
    files = FilesField(_("附件"))


class ScoreField(Field):
    """One of the marks by its number, as the shop writes it; ``data`` is the Score, or None."""

    data: Any

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = MARKS.get(valuelist[0]) if valuelist else None
        if valuelist and self.data is None:
            raise ValueError(_("请选择列出的成绩。"))


class GradeForm(Form):
    """A mark and its comment. ``step`` is the button: look at it before it counts, change it again, or let it count."""

    score = ScoreField(_("成绩"), [InputRequired(_("请选择成绩。"))])
    comment = TextField(
        _("批注"),
        [conditional(), Length(max=LONGEST_COMMENT, message=_("最多 %(max)d 个字符。"))],
        render_kw={"maxlength": LONGEST_COMMENT, "rows": 6},
    )
    step = SelectField(choices=[SelectChoice(step) for step in (GRADE, CHECK, CHANGE)], default=GRADE)

    def validate_comment(self, field: Any) -> None:
        if self.score.data is not None and not is_passed(self.score.data) and not field.data:
            raise ValidationError(_("没有通过的作业需要批注：哪里不对，怎么修改。"))
