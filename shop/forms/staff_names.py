"""Fields for one thing that staff know by its name: what is typed is looked up; nothing or several is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from wtforms.validators import ValidationError
from wtforms.widgets import TextInput

from shop.forms import LineField
from shop.services.staff import named
from shop.services.staff.gifts import NoReceiver
from shop.services.staff.named import Named

LONGEST = 128
PRIVATE = _("手机号和邮箱不能出现在网址里：请用上方的搜索找到这个人，再看全部订单。")
SHOWN = named.MOST - 1


class _WithOptions(TextInput):
    """A line of text with names to choose from, where the field was offered any."""

    def __call__(self, field: Any, **kwargs: Any) -> Markup:
        if not field.options:
            return super().__call__(field, **kwargs)
        ident = f"{kwargs.get('id', field.id)}-options"
        options = Markup("").join(
            Markup('<option value="{}">{}</option>').format(one.name, one.kind) for one in field.options
        )
        return super().__call__(field, list=ident, **kwargs) + Markup('<datalist id="{}">{}</datalist>').format(
            ident, options
        )


class NamedField(LineField):
    """One thing by its name or number; ``meant`` is it once the form is valid, None when nothing was typed."""

    widget = _WithOptions()
    none_of_it: Any = _("没有找到，请检查名称或编号。")
    tells_names = True  # of people it does not: not everybody sees them

    def __init__(self, label: Any, find: Callable[[str], list[Named]], validators: Any = None, **kwargs: Any) -> None:
        super().__init__(label, validators, **{"render_kw": {"maxlength": LONGEST, "autocomplete": "off"}, **kwargs})
        self.find = find
        self.options: Sequence[Named] = ()
        self.meant: Named | None = None

    @property
    def meant_id(self) -> int | None:
        return self.meant.id if self.meant else None

    def offer(self, options: Sequence[Named]) -> None:
        self.options = options

    def pre_validate(self, form: Any) -> None:
        super().pre_validate(form)
        if not self.data and self.flags.required:
            raise ValidationError(gettext("请填写这一项。"))
        if not self.data:
            return
        if len(self.data) > LONGEST:
            raise ValidationError(gettext("最多 %(max)d 个字符。", max=LONGEST))
        found = self.find(self.data)
        if not found:
            raise ValidationError(self.none_of_it)
        if len(found) > 1:
            raise ValidationError(gettext("有几个符合：%(names)s。请写 # 和编号。", names=self._told(found)))
        self.meant = found[0]
        if self.tells_names and self.meant.name != self.data:
            self.description = f"#{self.meant.id} {self.meant.name}"

    def _told(self, found: Sequence[Named]) -> str:
        names = [f"#{one.id} {one.name} ({one.kind})" if self.tells_names else f"#{one.id}" for one in found[:SHOWN]]
        return gettext("、").join(names) + ("…" if len(found) > SHOWN else "")


class ReceiverField(NamedField):
    """Whoever is given something, in a form that is posted: also by phone number or e-mail address."""

    none_of_it = NoReceiver.text
    tells_names = False

    def __init__(self, label: Any, validators: Any = None, **kwargs: Any) -> None:
        super().__init__(label, named.receivers, validators, **kwargs)


class PersonField(NamedField):
    """A person by user name or number, in an address: never by what would not be seen there (safety.md 14.2.1)."""

    none_of_it = _("没有这个用户名或编号。")
    tells_names = False

    def __init__(self, label: Any, *, formerly: str = "", **kwargs: Any) -> None:
        """``formerly``: a name by which older addresses call the field."""
        super().__init__(label, named.people, description=_("用户名或编号；手机号和邮箱请用上方的搜索。"), **kwargs)
        self.formerly = formerly

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        super().process(formdata, *args, **kwargs)
        if formdata is not None and not self.data and self.formerly and self.formerly in formdata:
            self.raw_data: list[Any] = formdata.getlist(self.formerly)
            self.process_formdata(self.raw_data)

    @property
    def is_private(self) -> bool:
        """Whether what was typed should not stand in the address any longer."""
        return bool(self.data) and named.is_private(self.data)

    def pre_validate(self, form: Any) -> None:
        if self.is_private:
            raise ValidationError(PRIVATE)
        super().pre_validate(form)
