from __future__ import annotations

import pytest

from shop.rules.masking import masked_name, masked_phone


@pytest.mark.parametrize(("name", "shown"), [("王小明", "王*"), ("王", "王*"), ("Nami", "N*"), ("", ""), (None, "")])
def test_a_name_is_masked(name: str | None, shown: str) -> None:
    assert masked_name(name) == shown


@pytest.mark.parametrize(
    ("mobile", "shown"),
    [("13812341234", "138****1234"), (None, ""), ("", ""), ("+8613812341234", "+86****1234"), ("12345678", "****78")],
)
def test_a_phone_number_is_masked(mobile: str | None, shown: str) -> None:
    assert masked_phone(mobile) == shown
