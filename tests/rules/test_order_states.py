from __future__ import annotations

from itertools import product

import pytest

from shop.enums import OrderStatus
from shop.errors import NotYourTurn
from shop.rules.order_states import Action, after, is_allowed

# design 8, with the numbers that are stored
LEGAL = {
    (1, Action.PAY): 0,
    (1, Action.CANCEL): 4,
    (1, Action.TIME_OUT): 5,
    (4, Action.PAY_LATE): 0,
    (5, Action.PAY_LATE): 0,
    (0, Action.ASK_REFUND): 2,
    (2, Action.REFUSE_REFUND): 0,
    (2, Action.REFUND_PART): 0,
    (2, Action.REFUND_ALL): 3,
}


@pytest.mark.parametrize(("status", "action"), list(product(OrderStatus, Action)))
def test_an_order_changes_only_as_the_design_says(status: OrderStatus, action: Action) -> None:
    expected = LEGAL.get((int(status), action))
    assert is_allowed(status, action) is (expected is not None)
    if expected is None:
        with pytest.raises(NotYourTurn):
            after(status, action)
    else:
        assert after(status, action) == expected


def test_a_refunded_order_never_changes_again() -> None:
    assert not any(is_allowed(OrderStatus.REFUNDED, action) for action in Action)
