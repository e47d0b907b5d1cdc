"""What is left of a person's data for eyes that have not asked for it (safety.md 7)."""

from __future__ import annotations


def masked_name(name: str | None) -> str:
    """A real name by its first character: 王*; "" without one."""
    return f"{name[0]}*" if name else ""


def masked_phone(mobile: str | None) -> str:
    """A phone number that only its owner recognises: 138****1234; "" without one."""
    if not mobile:
        return ""
    return f"{mobile[:3]}****{mobile[-4:]}" if len(mobile) > 8 else f"****{mobile[-2:]}"
