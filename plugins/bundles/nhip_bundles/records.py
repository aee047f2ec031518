"""The record types that every trade shares: orders, deals, tickets, tasks and appointments.

A snapshot of an order, as it comes inside an event or by ``PUT /v1/records/order/DH-1001``::

    {"status": "delivered", "code": "DH-1001", "total": {"amount": 150000, "currency": "VND"},
     "items": [{"sku": "SP-1", "name": "Trà sen", "quantity": 2, "price": {"amount": 75000, "currency": "VND"}}],
     "payment_status": "paid", "tracking_url": "https://carrier.example/GHN123", "store": "CH-HN-1"}
"""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

from nhip import Money, RecordFields, RecordType, Taxonomy, hookimpl

TICKET_TAXONOMY = msgspec.json.decode(Path(__file__).with_name("ticket_taxonomy.json").read_bytes(), type=Taxonomy)
"""What is usual in Vietnamese retail care; a workspace may have its own."""

Percent = Annotated[float, Meta(ge=0, le=100)]
Stars = Annotated[int, Meta(ge=1, le=5)]
Staff = Annotated[str | None, Meta(description="External id of the employee who looks after it.")]
Store = Annotated[str | None, Meta(description="The store or branch concerned, by its code.")]
Note = Annotated[str | None, Meta(description="A remark for colleagues; not meant for the customer.")]
Title = Annotated[str | None, Meta(description="What it is about, in one line.")]
Description = Annotated[str | None, Meta(description="The details, in free text.")]
Priority = Annotated[str | None, Meta(description="How urgent it is: low, normal, high, urgent.")]
Due = Annotated[datetime | None, Meta(description="When it must be finished.")]


class OrderItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of an order."""

    sku: Annotated[str | None, Meta(description="The product's code.")] = None
    name: Annotated[str | None, Meta(description="The product's name as the customer knows it.")] = None
    category: Annotated[str | None, Meta(description="The product's category.")] = None
    quantity: Annotated[float, Meta(description="How many.", ge=0)] = 1
    price: Annotated[Money | None, Meta(description="The price of one.")] = None


class OrderFields(RecordFields):
    """What is known of an order."""

    code: Annotated[str | None, Meta(description="The number that the customer sees on the order.")] = None
    total: Annotated[Money | None, Meta(description="What the customer pays in all.")] = None
    discount: Annotated[Money | None, Meta(description="What was taken off the price.")] = None
    shipping_fee: Annotated[Money | None, Meta(description="The part of the total that is for shipping.")] = None
    items: Annotated[tuple[OrderItem, ...], Meta(description="What was ordered.", max_length=500)] = ()
    payment_method: Annotated[str | None, Meta(description="How it is paid: cod, transfer, card, wallet.")] = None
    payment_status: Annotated[str | None, Meta(description="Whether it is paid: unpaid, paid, refunded.")] = None
    carrier: Annotated[str | None, Meta(description="Who delivers it.")] = None
    tracking_code: Annotated[str | None, Meta(description="The carrier's number for it.")] = None
    tracking_url: Annotated[str | None, Meta(description="Where the customer can follow it.")] = None
    source: Annotated[str | None, Meta(description="Where it was placed: website, store, shopee, facebook.")] = None
    store: Store = None
    seller: Staff = None
    voucher: Annotated[str | None, Meta(description="The voucher code that was used.")] = None
    ordered_at: Annotated[datetime | None, Meta(description="When it was placed.")] = None
    promised_at: Annotated[datetime | None, Meta(description="When its delivery was promised for.")] = None
    delivered_at: Annotated[datetime | None, Meta(description="When it was delivered.")] = None
    note: Note = None


class DealFields(RecordFields):
    """What is known of a chance to sell."""

    title: Title = None
    pipeline: Annotated[str | None, Meta(description="The pipeline it runs through; its status is the stage.")] = None
    amount: Annotated[Money | None, Meta(description="What it is worth when it is won.")] = None
    probability: Annotated[Percent | None, Meta(description="How likely it is to be won, 0 to 100.")] = None
    expected_close: Annotated[date | None, Meta(description="The day on which it should be won.")] = None
    product: Annotated[str | None, Meta(description="The product or service in question.")] = None
    source: Annotated[str | None, Meta(description="Where it came from: website, facebook, zalo, referral.")] = None
    owner: Staff = None
    store: Store = None
    lost_reason: Annotated[str | None, Meta(description="Why it was lost.")] = None
    note: Note = None


class TicketFields(RecordFields):
    """What is known of a customer's concern."""

    title: Title = None
    description: Description = None
    type: Annotated[str | None, Meta(description="The concern's type: complaint, request, question.")] = None
    sub_type: Annotated[str | None, Meta(description="The type more closely: late_delivery, wrong_item.")] = None
    source: Annotated[str | None, Meta(description="Where it was raised: zalo, facebook, email, hotline.")] = None
    priority: Priority = None
    department: Annotated[str | None, Meta(description="The department that must solve it.")] = None
    assignee: Staff = None
    order: Annotated[str | None, Meta(description="External id of the order it is about.")] = None
    store: Store = None
    due_at: Due = None
    resolved_at: Annotated[datetime | None, Meta(description="When it was resolved.")] = None
    resolution: Annotated[str | None, Meta(description="How it was resolved.")] = None
    rating: Annotated[Stars | None, Meta(description="How content the customer is, 1 to 5.")] = None
    feedback: Annotated[str | None, Meta(description="What the customer said about the solution.")] = None
    note: Note = None


class TaskFields(RecordFields):
    """What is known of a piece of work for an employee."""

    title: Title = None
    description: Description = None
    type: Annotated[str | None, Meta(description="What kind of work: call, visit, message, paperwork.")] = None
    priority: Priority = None
    department: Annotated[str | None, Meta(description="The department that must do it.")] = None
    assignee: Staff = None
    due_at: Due = None
    completed_at: Annotated[datetime | None, Meta(description="When it was done.")] = None
    outcome: Annotated[str | None, Meta(description="What came of it: reached, no_answer, not_interested.")] = None
    note: Note = None


class AppointmentFields(RecordFields):
    """What is known of an agreed meeting, visit or treatment."""

    title: Title = None
    service: Annotated[str | None, Meta(description="The service it is for.")] = None
    starts_at: Annotated[datetime | None, Meta(description="When it begins.")] = None
    ends_at: Annotated[datetime | None, Meta(description="When it ends.")] = None
    location: Annotated[str | None, Meta(description="Where it takes place: an address, a room, a link.")] = None
    assignee: Staff = None
    store: Store = None
    price: Annotated[Money | None, Meta(description="What it costs.")] = None
    note: Note = None


class Order(RecordType):
    """Something a customer bought, on its way from the shop to the door."""

    kind = "order"
    fields_type = OrderFields
    statuses = ("new", "confirmed", "packed", "shipping", "delivered", "cancelled", "returned")
    amount_field = "total"


class Deal(RecordType):
    """A chance to sell, on its way through a pipeline; its status is the stage."""

    kind = "deal"
    fields_type = DealFields
    statuses = ("new", "contacted", "interested", "quoted", "won", "lost")
    amount_field = "amount"


class Ticket(RecordType):
    """A customer's question, complaint or wish, until it is resolved."""

    kind = "ticket"
    fields_type = TicketFields
    statuses = ("new", "in_progress", "done")
    closed = ("done", "resolved", "closed")
    taxonomy = TICKET_TAXONOMY
    event_fields: ClassVar[Mapping[str, tuple[str, ...]]] = {"rated": ("rating", "feedback")}


class Task(RecordType):
    """A piece of work for an employee."""

    kind = "task"
    fields_type = TaskFields
    statuses = ("open", "done", "cancelled")
    closed = ("done", "completed", "cancelled")
    event_fields: ClassVar[Mapping[str, tuple[str, ...]]] = {"completed": ("outcome",)}
    event_statuses: ClassVar[Mapping[str, str]] = {"completed": "done"}


class Appointment(RecordType):
    """An agreed meeting, visit or treatment."""

    kind = "appointment"
    fields_type = AppointmentFields
    statuses = ("booked", "confirmed", "done", "cancelled", "no_show")
    amount_field = "price"


@hookimpl
def nhip_register_record_types() -> list[type[RecordType]]:
    """Add the five record types."""
    return [Order, Deal, Ticket, Task, Appointment]
