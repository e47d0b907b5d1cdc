"""A field for files: several at once, judged by their contents (``shop.services.uploads``)."""

from __future__ import annotations

import os
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage
from wtforms import MultipleFileField
from wtforms.validators import ValidationError

from shop.services import uploads
from shop.services.uploads import Checked, Incoming, UnfitFile


class FilesField(MultipleFileField):
    """Up to ``uploads.MOST_FILES`` files, or none; ``data`` is the list of what was checked.

    The form needs ``enctype="multipart/form-data"``: without it browsers send the names alone, which is refused rather
    than taken for no file. Its view is marked with ``shop.web.upload_limit.takes_files``.
    """

    data: list[Checked]

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = []
        self.sent = valuelist

    def pre_validate(self, form: Any) -> None:
        sent = getattr(self, "sent", [])
        if any(not isinstance(file, FileStorage) for file in sent):
            raise ValidationError(_("没有收到文件，请重新选择。"))
        try:
            self.data = uploads.check([_incoming(file) for file in sent if file.filename])
        except UnfitFile as error:
            raise ValidationError(str(error)) from error


def _incoming(file: FileStorage) -> Incoming:
    size = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    return Incoming(file.filename or "", file.stream, size)
