"""What mentors and their students write to or about each other: follow-up records, questions, answers, complaints."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from shop.enums import FollowUpTool
from shop.forms import ChoiceField, Form, LineField, TextField, length, required
from shop.forms.uploads import FilesField
from shop.services import complaints, questions
from shop.services.mentored import LONGEST_RECORD


def _text(label: Any, least: int, most: int, rows: int) -> TextField:
    return TextField(label, [required(), length(least, most)], render_kw={"maxlength": most, "rows": rows})


class FollowUpForm(Form):
    tool = ChoiceField(_("沟通方式"), FollowUpTool, default=FollowUpTool.WECHAT)
    record = _text(_("跟进内容"), 1, LONGEST_RECORD, 5)
    attachment = FilesField(_("附件（一个文件）"), widget=FileInput())

    def validate_attachment(self, field: Any) -> None:
        if len(field.data) > 1:
            raise ValidationError(_("最多一个附件，可以打包为 ZIP。"))


class AskForm(Form):
    title = LineField(
        _("标题"),
        [required(), length(1, questions.LONGEST_TITLE)],
        render_kw={"maxlength": questions.LONGEST_TITLE},
    )
    content = _text(_("问题"), 1, questions.LONGEST, 6)


class AnswerForm(Form):
    content = _text(_("回复"), 1, questions.LONGEST, 4)


class ComplaintForm(Form):
    content = _text(_("发生了什么"), complaints.SHORTEST, complaints.LONGEST, 6)
