"""What the states of a study mean together; who asks about one of these asks here."""

from __future__ import annotations

from datetime import date

from shop.enums import StudyStatus

UNDER_WAY = (StudyStatus.STUDYING, StudyStatus.ON_LEAVE)  # begun, and not ended
LIVING = (StudyStatus.NOT_STARTED, *UNDER_WAY)
ENDED = (StudyStatus.GRADUATED, StudyStatus.OVERTIME)


def is_over(status: StudyStatus, last_date: date | None, today: date) -> bool:
    """Whether the last day has passed while the nightly job has not said so yet; a leave moves that day."""
    return status is StudyStatus.STUDYING and last_date is not None and last_date < today
