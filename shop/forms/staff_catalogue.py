"""What staff send about the catalogue: a form for each kind of thing, its fields named as the columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask_babel import lazy_gettext
from flask_babel import lazy_gettext as _
from wtforms import BooleanField, FileField, SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional, ValidationError
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from shop.enums import CourseType, HomeworkType, Level, ProductStatus, SectionType, TeacherRole, ValidPeriod
from shop.extensions import settings
from shop.forms import ChoiceField, Form, LineField, StrictInteger, TextField, YuanField, conditional, length, required
from shop.forms.staff import DayField, FilterChoice
from shop.money import to_yuan
from shop.services.catalogue_format import (
    HIGHEST_PRICE_FEN,
    LINK,
    LONGEST_LESSON,
    LONGEST_TEXT,
    MOST_BELI,
)
from shop.services.staff import catalogue_words
from shop.services.staff.catalogue_import_desk import LARGEST
from shop.services.staff.catalogue_list import Showing, Sort, Wanted

NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
VIDEO_TIME = re.compile(r"[0-9]{1,3}:[0-5][0-9]", re.ASCII)
Choices = Sequence[tuple[int, str]]


def _id(value: Any) -> int | None:
    """An id as we write it: no sign, no blank, no other script's digits."""
    if value is None or isinstance(value, int):
        return value
    if value == "":
        return None
    if not NUMBER.fullmatch(value):
        raise ValueError(value)
    return int(value)


class IdField(SelectField):
    """One of the rows that ``choices`` names, given to the form by who makes it."""

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, coerce=_id, choices=[], **kwargs)

    def offer(self, choices: Choices, *, asks: Any) -> None:
        self.choices = [SelectChoice("", str(asks)), *(SelectChoice(str(number), name) for number, name in choices)]


class IdsField(SelectMultipleField):
    """Any of the rows that ``choices`` names, as check boxes; ``data`` is a sorted list of ids."""

    data: list[Any] | None
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, coerce=_id, choices=[], **kwargs)

    def offer(self, choices: Choices) -> None:
        self.choices = list(choices)

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        self.data = sorted({number for number in self.data or () if number is not None})


def _label(column: str) -> Any:
    return lazy_gettext(catalogue_words.COLUMNS[column])


def _checks(most: int, needed: bool, depends: bool) -> list[Any]:
    if needed:
        return [required(), length(1, most)]
    return [conditional(), length(0, most)] if depends else [length(0, most)]


def _line(column: str, most: int, *, needed: bool = False, depends: bool = False) -> LineField:
    return LineField(_label(column), _checks(most, needed, depends), render_kw={"maxlength": most})


def _text(column: str, most: int, *, rows: int = 4, needed: bool = False, depends: bool = False) -> TextField:
    checks = _checks(most, needed, depends)
    return TextField(_label(column), checks, render_kw={"rows": rows, "maxlength": most})


def _number(column: str, least: int, most: int, **kwargs: Any) -> StrictInteger:
    kw = {"inputmode": "numeric"}
    return StrictInteger(_label(column), [required()], least=least, most=most, render_kw=kw, **kwargs)


def _check_link(form: Any, field: Any) -> None:
    """Our own files, or hosts that the shop's pages may show video from."""
    if not field.data:
        return
    if not re.fullmatch(LINK["pattern"], field.data, re.ASCII):
        raise ValidationError(_("请填写以 / 开头的本站地址，或以 https:// 开头的地址。"))
    parts = urlsplit(field.data)
    if not field.data.startswith("/") and f"{parts.scheme}://{parts.netloc}" not in settings().media_origins:
        raise ValidationError(_("这个网站不在允许的视频来源（MEDIA_ORIGINS）里，学员会看不到。"))


class PartForm(Form):
    """A form that knows which version of the thing it shows."""

    mark = LineField(validators=[length(0, 64)], widget=HiddenInput())

    def values(self) -> dict[str, Any]:
        """By column, as the database keeps them: a text that is left out is an empty one."""
        return {name: self._value(field) for name, field in self._fields.items() if name != "mark"}

    @staticmethod
    def _value(field: Any) -> Any:
        return "" if isinstance(field, LineField) and field.data is None else field.data


class CourseBase(PartForm):
    name = _line("name", 128, needed=True)
    brief = _text("brief", 2048, needed=True)
    sub_category_id = IdField(_label("sub_category_id"), validators=[required()])
    level = ChoiceField(_label("level"), Level, default=Level.INTERMEDIATE)
    period = _number("period", 1, 3650, default=7)
    pub_date = DayField(_label("pub_date"))
    teachers = IdsField(_label("teachers"))
    hours = _number("hours", 0, 9999, default=0)
    course_slogan = _line("course_slogan", 125)
    video_brief_link = _line("video_brief_link", 255)
    why_study = _text("why_study", LONGEST_TEXT)
    what_to_study_brief = _text("what_to_study_brief", LONGEST_TEXT)
    career_improvement = _text("career_improvement", LONGEST_TEXT)
    prerequisite = _text("prerequisite", 1024)

    def validate_video_brief_link(self, field: Any) -> None:
        _check_link(self, field)


class ModuleForm(CourseBase):
    pass


class SoldChoice(ChoiceField):
    """Courses are sold, or for members; modules are made in their degree."""

    choices: Any

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, CourseType, default=CourseType.PAID, **kwargs)
        found: list[Any] = self.choices
        self.choices = [option for option in found if option.value != str(int(CourseType.MODULE))]


class CourseForm(CourseBase):
    course_type = SoldChoice(_label("course_type"))
    order = _number("order", 0, 99999, default=0)
    recommended = IdsField(_label("recommended"))


class DegreeForm(PartForm):
    name = _line("name", 128, needed=True)
    brief = _text("brief", 2048, needed=True)
    period = _number("period", 1, 3650, default=150)
    total_scholarship = _number("total_scholarship", 0, MOST_BELI, default=40000)
    mentor_compensation_bonus = _number("mentor_compensation_bonus", 0, MOST_BELI, default=15000)
    prerequisite = _text("prerequisite", 1024)
    teachers = IdsField(_label("teachers"))


class ChapterForm(PartForm):
    chapter = _number("chapter", 1, 999, default=1)
    name = _line("name", 128, needed=True)
    summary = _text("summary", LONGEST_TEXT)
    pub_date = DayField(_label("pub_date"))


class LessonForm(PartForm):
    name = _line("name", 128, needed=True)
    section_type = ChoiceField(_label("section_type"), SectionType, default=SectionType.DOCUMENT)
    section_link = _line("section_link", 255, depends=True)
    video_time = _line("video_time", 32, depends=True)
    content = _text("content", LONGEST_LESSON, rows=16, depends=True)
    free_trail = BooleanField(_label("free_trail"))
    pub_date = DayField(_label("pub_date"))

    @property
    def is_video(self) -> bool:
        return self.section_type.data is SectionType.VIDEO

    def validate_section_link(self, field: Any) -> None:
        if self.is_video and not field.data:
            raise ValidationError(_("视频课时需要视频地址。"))
        if field.data and not self.is_video:
            raise ValidationError(_("只有视频课时才有视频地址：请清空，或把类型改成视频。"))
        _check_link(self, field)

    def validate_video_time(self, field: Any) -> None:
        if field.data and not self.is_video:
            raise ValidationError(_("只有视频课时才有时长：请清空，或把类型改成视频。"))
        if field.data and not VIDEO_TIME.fullmatch(field.data):
            raise ValidationError(_("请按分:秒填写，例如 12:30。"))

    def validate_content(self, field: Any) -> None:
        if not self.is_video and not field.data:
            raise ValidationError(_("文档和练习就是它的正文，请填写。"))

    def values(self) -> dict[str, Any]:
        found = super().values()
        return {**found, "section_link": found["section_link"] or None, "video_time": found["video_time"] or None}


class HomeworkForm(PartForm):
    title = _line("title", 128, needed=True)
    homework_type = ChoiceField(_label("homework_type"), HomeworkType, default=HomeworkType.HOMEWORK)
    requirement = _text("requirement", LONGEST_TEXT, rows=8, needed=True)
    threshold = _text("threshold", LONGEST_TEXT)
    recommend_period = _number("recommend_period", 1, 365, default=7)
    scholarship_value = _number("scholarship_value", 0, MOST_BELI, default=0)
    note = _text("note", LONGEST_TEXT, rows=2)
    enabled = BooleanField(_label("enabled"), default=True)

    def values(self) -> dict[str, Any]:
        found = super().values()
        return {**found, "note": found["note"] or None}


class QuestionForm(PartForm):
    question = _line("question", 255, needed=True)
    answer = _text("answer", 1024, needed=True)


class PlanForm(PartForm):
    valid_period = ChoiceField(_label("valid_period"), ValidPeriod)
    price_fen = YuanField(_label("price_fen"), [required()], render_kw={"inputmode": "decimal"})

    def validate_price_fen(self, field: Any) -> None:
        if field.data is not None and field.data > HIGHEST_PRICE_FEN:
            raise ValidationError(_("价格最多 %(most)s 元。", most=to_yuan(HIGHEST_PRICE_FEN)))


class DegreePlanForm(PlanForm):
    def validate_valid_period(self, field: Any) -> None:
        if field.data is not None and field.data is not ValidPeriod.TWO_YEARS:
            raise ValidationError(_("学位课只有一个方案：24个月。"))


class ScholarshipForm(PartForm):
    time_percent = _number("time_percent", 1, 1000)
    value = _number("value", 0, MOST_BELI)


class OutlineForm(PartForm):
    title = _line("title", 128, needed=True)
    content = _text("content", LONGEST_TEXT)


class CategoryForm(PartForm):
    name = _line("name", 64, needed=True)


class TeacherForm(PartForm):
    name = _line("name", 32, needed=True)
    role = ChoiceField(_label("role"), TeacherRole, default=TeacherRole.LECTURER)
    title = LineField(_("头衔"), [required(), length(1, 64)], render_kw={"maxlength": 64})
    signature = _line("signature", 255)
    brief = _text("brief", 1024)


FORMS: Mapping[str, Callable[..., PartForm]] = {
    "courses": CourseForm,
    "degrees": DegreeForm,
    "modules": ModuleForm,
    "chapters": ChapterForm,
    "lessons": LessonForm,
    "homework": HomeworkForm,
    "questions": QuestionForm,
    "plans": PlanForm,
    "scholarships": ScholarshipForm,
    "outlines": OutlineForm,
    "categories": CategoryForm,
    "sub-categories": CategoryForm,
    "teachers": TeacherForm,
}


# ---------------------------------------------------------------- lists, sale, files


class CatalogueFilter(Form):
    """Stands in the address."""

    sort = FilterChoice(_("种类"), Sort)
    showing = FilterChoice(_("状态"), Showing)
    category = IdField(_("课程大类"))
    q = LineField(_("名称里有"), [length(0, 100)], render_kw={"maxlength": 100})

    def wanted(self) -> Wanted:
        return Wanted(self.sort.data, self.showing.data, self.category.data, self.q.data or "")


class SaleForm(Form):
    """Products chosen in the list, and what becomes of them."""

    product = SelectMultipleField(_("课程"), coerce=_id, validate_choice=False)
    to = ChoiceField(_("改为"), ProductStatus)
    mark = LineField(validators=[length(0, 64)], widget=HiddenInput())

    def validate_product(self, field: Any) -> None:
        if not self.ids:
            raise ValidationError(_("请先勾选课程。"))

    @property
    def ids(self) -> list[int]:
        return [number for number in self.product.data or () if isinstance(number, int)]


class PublishForm(Form):
    to = ChoiceField(_("发布为"), ProductStatus)
    mark = LineField(validators=[length(0, 64)], widget=HiddenInput())

    def validate_to(self, field: Any) -> None:
        if field.data is ProductStatus.OFF_SALE:
            raise ValidationError(_("请选择上架出售或预告。"))


class MoveForm(Form):
    up = StrictInteger(_("方向"), [required()], least=0, most=1)


class ParentForm(Form):
    """What a new part belongs to; stands in the address."""

    of = StrictInteger(_("属于"), [Optional()], least=1)


class ImportForm(Form):
    file = FileField(_("YAML 文件"), render_kw={"accept": ".yaml,.yml"})

    content = b""

    def validate_file(self, field: Any) -> None:
        if not getattr(field.data, "filename", ""):
            raise ValidationError(_("请选择一个文件。"))
        self.content = field.data.stream.read(LARGEST + 1)
        if len(self.content) > LARGEST:
            raise ValidationError(_("文件超过 4 MB，请分成几个文件。"))


class ApplyForm(Form):
    token = LineField(validators=[required(), length(1, 64)], widget=HiddenInput())
