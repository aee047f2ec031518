"""What happens to customers: tickets, orders and deals from their beginning to their end, one snapshot after another.

Each chapter is one event that a shop's or a CRM's system sends, and says which of the ten workflows must start by it:
the demonstration knows beforehand what has to come out.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from nhip.demo import workflows
from nhip.demo.people import Person


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a story."""

    type: str
    record: str | None
    """``ticket``, ``order``, ``deal``; ``None`` for an event that brings no record."""
    said: dict[str, Any]
    """The record's snapshot, or else the event's data."""
    starts: str | None = None
    """The workflow that this event starts, and no other."""
    pause: float = 3600.0
    """Seconds since the chapter before."""


Story = list[Chapter]

_COMPLAINTS: Final = ("Giao hàng trễ hẹn", "Nhân viên chưa nhiệt tình", "Sản phẩm bị lỗi", "Chưa nhận được quà tặng")
_QUESTIONS: Final = (
    "Không đăng nhập được",
    "Máy báo lỗi khi khởi động",
    "Cần hướng dẫn cài đặt",
    "Thanh toán bị từ chối",
)
_IDEAS: Final = ("Mong có thêm màu mới", "Nên mở cửa sớm hơn", "Đề nghị giao hàng cuối tuần", "Thêm ví điện tử khi trả")
_SOLUTIONS: Final = ("Đã đổi sản phẩm mới", "Đã hoàn tiền", "Đã hướng dẫn qua điện thoại", "Đã ghi nhận góp ý")
_SUB_TYPES: Final = {
    "complaint": ("late_delivery", "staff", "defect", "promised_offer"),
    "technical_support": ("login", "device", "setup", "payment"),
    "suggestion": ("product", "service"),
    "question": ("price", "stock"),
}
_TITLES: Final = {
    "complaint": _COMPLAINTS,
    "technical_support": _QUESTIONS,
    "suggestion": _IDEAS,
    "question": ("Hỏi giá sản phẩm", "Hỏi còn hàng không"),
}
_SOURCES: Final = ("zalo", "facebook", "email", "hotline", "website")
_GOODS: Final = ("Trà sen Tây Hồ", "Cà phê rang mộc", "Bình giữ nhiệt", "Máy lọc không khí", "Nồi chiên không dầu")
_CONTRACTS: Final = ("Gói chăm sóc khách hàng", "Phần mềm bán hàng", "Tổng đài AntRing", "Gói thiết bị cửa hàng")
_MINUTE: Final = 60.0


def ticket(code: str, person: Person, chance: random.Random) -> Story:
    """A concern, from being raised to being resolved."""
    kind = chance.choices(("complaint", "technical_support", "suggestion", "question"), (32, 34, 24, 10))[0]
    urgent = kind != "question" and chance.random() < 0.2
    duplicate = chance.random() < 0.06
    raised: dict[str, Any] = {
        "external_id": code,
        "status": "new",
        "title": chance.choice(_TITLES[kind]),
        "type": kind,
        "sub_type": workflows.DUPLICATE if duplicate else chance.choice(_SUB_TYPES[kind]),
        "source": chance.choice(_SOURCES),
        "priority": chance.choice(("high", "urgent")) if urgent else "normal",
    }
    answers = {
        "complaint": workflows.COMPLAINT_RECEIVED,
        "technical_support": workflows.URGENT_PROMISE if urgent else workflows.SUPPORT_RECEIVED,
        "suggestion": workflows.URGENT_PROMISE if urgent else workflows.SUGGESTION_THANKS,
    }
    story = [Chapter(type="ticket.created", record="ticket", said=raised, starts=answers.get(kind))]
    if chance.random() < 0.35:
        working = {"external_id": code, "status": "in_progress", "assignee": person.owner}
        story.append(Chapter(type="ticket.updated", record="ticket", said=working, pause=20 * _MINUTE))
    resolved = {"external_id": code, "status": "done", "resolution": chance.choice(_SOLUTIONS)}
    starts = None if duplicate else workflows.RESOLVED_RATING
    story.append(Chapter(type="ticket.updated", record="ticket", said=resolved, starts=starts, pause=90 * _MINUTE))
    return story


def order(code: str, person: Person, chance: random.Random) -> Story:
    """A purchase, from the basket to the door, or back."""
    price, quantity = chance.randrange(60, 700) * 1000, chance.randint(1, 3)
    total = price * quantity
    placed: dict[str, Any] = {
        "external_id": code,
        "status": "new",
        "code": code,
        "total": _vnd(total),
        "items": [{"sku": f"SP-{chance.randint(1, 400):03}", "name": chance.choice(_GOODS), "quantity": quantity,
                   "price": _vnd(price)}],
        "payment_method": chance.choice(("cod", "transfer", "card", "wallet")),
        "source": chance.choice(("website", "zalo", "facebook", "store")),
    }  # fmt: skip
    confirmed: dict[str, Any] = {"external_id": code, "status": "confirmed"}
    if chance.random() < 0.3:
        story = [
            Chapter(type="order.created", record="order", said=placed),
            Chapter(type="order.updated", record="order", said=confirmed, starts=workflows.ORDER_CONFIRMED),
        ]
    else:
        story = [
            Chapter(type="order.created", record="order", said=placed | confirmed, starts=workflows.ORDER_CONFIRMED)
        ]
    end = chance.choices(("delivered", "cancelled", "returned"), (80, 10, 10))[0]
    if end == "cancelled":
        gone = {"external_id": code, "status": end}
        return [*story, Chapter(type="order.updated", record="order", said=gone, starts=workflows.ORDER_APOLOGY)]
    tracking = f"GHN{chance.randrange(10**8):08}"
    shipped = {
        "status": "shipping",
        "carrier": "GHN",
        "tracking_code": tracking,
        "tracking_url": f"https://carrier.example/{tracking}",
    }
    delivered: dict[str, Any] = {"external_id": code, "status": "delivered", "payment_status": "paid"}
    if chance.random() < 0.3:
        story.append(Chapter(type="order.updated", record="order", said={"external_id": code, **shipped}))
    else:
        delivered = {**shipped, **delivered}
    thanked = total >= workflows.LARGE_ORDER or "VIP" in person.tags
    starts = workflows.ORDER_THANKS if thanked else None
    story.append(Chapter(type="order.updated", record="order", said=delivered, starts=starts))
    if end == "returned":
        back = {"external_id": code, "status": end, "payment_status": "refunded"}
        story.append(Chapter(type="order.updated", record="order", said=back, starts=workflows.ORDER_APOLOGY))
    return story


def deal(code: str, person: Person, chance: random.Random) -> Story:
    """A chance to sell, through the pipeline until it is won or lost."""
    known: dict[str, Any] = {
        "external_id": code,
        "status": "contacted",
        "title": f"{chance.choice(_CONTRACTS)} cho {person.name}",
        "pipeline": "retail",
        "product": chance.choice(_CONTRACTS),
        "amount": _vnd(chance.randrange(5, 120) * 1_000_000),
        "owner": person.owner,
    }
    followed = workflows.DEAL_FOLLOWUP if person.segment in ("wholesale", "agency") else None
    quoted = {"external_id": code, "status": "quoted", "probability": 60}
    story = [Chapter(type="deal.updated", record="deal", said=quoted, starts=followed)]
    if chance.random() < 0.3:
        story.insert(0, Chapter(type="deal.created", record="deal", said=known))
    else:
        first = Chapter(type="deal.created", record="deal", said={**known, **quoted}, starts=followed)
        story[0] = first
    if chance.random() < 0.75:
        won = {"external_id": code, "status": "won", "probability": 100}
        story.append(Chapter(type="deal.updated", record="deal", said=won, starts=workflows.DEAL_WELCOME))
    else:
        lost = {"external_id": code, "status": "lost", "lost_reason": "Chọn nhà cung cấp khác"}
        story.append(Chapter(type="deal.updated", record="deal", said=lost))
    return story


def suggestion(code: str, person: Person, chance: random.Random) -> Story:
    """The shortest story that starts a workflow: an idea, thanked for."""
    raised = {
        "external_id": code, "status": "new", "title": chance.choice(_IDEAS), "type": "suggestion",
        "sub_type": "service", "source": chance.choice(_SOURCES), "priority": "normal",
    }  # fmt: skip
    return [Chapter(type="ticket.created", record="ticket", said=raised, starts=workflows.SUGGESTION_THANKS)]


def visit(code: str, person: Person, chance: random.Random) -> Story:
    """A look at the shop's pages, which no workflow waits for."""
    page = f"https://shop.example/{chance.choice(('tra', 'ca-phe', 'gia-dung', 'khuyen-mai'))}"
    return [Chapter(type="site.visited", record=None, said={"page": page, "visit": code})]


TELLERS: Final[Mapping[str, tuple[Callable[[str, Person, random.Random], Story], int]]] = {
    "YC": (ticket, 45),
    "DH": (order, 45),
    "CH": (deal, 10),
}
"""By the letters of their codes: who tells a story, and how often of 100."""


def _vnd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "VND"}
