"""``/v1/contacts``: the people cared for."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.domain.customers import ContactSnapshot
from nhip.domain.directory import ContactStory, TimelineItem
from nhip.domain.merging import MergeDraft
from nhip.engine.customers.scoring import score_at
from nhip.services.customers import contacts
from nhip_admin_api.auth import requires
from nhip_admin_api.controllers.records import show_record
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.presenting import moment
from nhip_admin_api.schemas.customers import Activity, Contact, ContactExport, FormerName, TimelineEntry

Text = Annotated[str | None, QueryParameter(max_length=200)]


class ContactsController(Controller):
    """Contacts."""

    path = "/v1/contacts"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="List contacts")
    async def list_contacts(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        paging: ThePaging,
        lifecycle: Text = None,
        status: Text = None,
        owner: Text = None,
        phone: Text = None,
        email: Text = None,
        zalo_user_id: Text = None,
    ) -> Response[Page[Contact]]:
        """Contacts in the order of their making; a phone number may be spelt in any way."""
        wanted = contacts.contact_filter(
            lifecycle=lifecycle, status=status, owner=owner, phone=phone, email=email, zalo_user_id=zalo_user_id
        )
        rows = await engine.database.read(
            contacts.page, principal.workspace_id, wanted, after=paging.after, limit=paging.fetch
        )
        now = engine.clock.micros()
        return paging.page(rows, lambda row: row.contact.id, lambda row: show_contact(row, now))

    @get("/{external_id:str}", guards=[requires("contacts:read")], summary="Show a contact")
    async def get_contact(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> Contact:
        """One contact, with how often it did what."""
        found = await engine.database.read(contacts.one, principal.workspace_id, external_id)
        return show_contact(found, engine.clock.micros())

    @put("/{external_id:str}", guards=[requires("contacts:write")], summary="Make or change a contact")
    async def put_contact(
        self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str], data: JSONBody[ContactSnapshot]
    ) -> Contact:
        """Say what is true now: what is left out stays, null takes a field away. What changes becomes events."""
        event = contacts.change(engine.intake, external_id, msgspec.to_builtins(data))
        await engine.inbox.submit(principal.workspace_id, [event])
        found = await engine.database.read(contacts.one, principal.workspace_id, external_id)
        return show_contact(found, engine.clock.micros())

    @delete("/{external_id:str}", guards=[requires("contacts:write")], summary="Delete a contact")
    async def delete_contact(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> None:
        """Take a contact away and end its runs; its events, deliveries and records stay. See also `erase`."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(contacts.delete, workspace, actor, external_id, now)

    @get("/{external_id:str}/timeline", guards=[requires("contacts:read")], summary="Show what happened")
    async def get_timeline(
        self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging, external_id: FromPath[str]
    ) -> Response[Page[TimelineEntry]]:
        """Events, runs, deliveries and records of a contact in one list, the newest first."""
        rows = await engine.database.read(
            contacts.timeline, principal.workspace_id, external_id, after=paging.after, limit=paging.fetch
        )
        return paging.page(rows, lambda row: row.id, show_item)

    @get("/{external_id:str}/export", guards=[requires("contacts:read")], summary="Export a contact")
    async def export_contact(
        self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]
    ) -> ContactExport:
        """Everything that is kept about a person, as the law lets them ask for it."""
        found = await engine.database.read(contacts.export, principal.workspace_id, external_id)
        return ContactExport(
            contact=show_contact(found.story, engine.clock.micros()),
            records=[show_record(record) for record in found.records],
            timeline=[show_item(item) for item in found.items],
            merged=[
                FormerName(kind=one.kind, value=one.value, merged_at=moment(one.created_at)) for one in found.aliases
            ],
        )

    @post(
        "/{external_id:str}/merge", guards=[requires("contacts:write")], status_code=200, summary="Merge two contacts"
    )
    async def merge_contact(
        self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str], data: JSONBody[MergeDraft]
    ) -> Contact:
        """They are one person: this contact stays and takes over all that is of the one in `from`, whose names lead to
        this one from now on. Where they differ in phone, email or Zalo user id, `keep` has to say whose is kept.
        """
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        merge = engine.merging.merge
        await engine.database.transact(merge, workspace, external_id, data, actor=actor, now=now)
        engine.doorbell.ring()
        found = await engine.database.read(contacts.one, workspace, external_id)
        return show_contact(found, engine.clock.micros())

    @post("/{external_id:str}/erase", guards=[requires("contacts:write")], status_code=204, summary="Forget a person")
    async def erase_contact(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> None:
        """Take away the contact, its records, and what events and deliveries say about it. It cannot be undone."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(contacts.erase, workspace, actor, external_id, now)


def show_contact(story: ContactStory, now: int) -> Contact:
    """A contact as it is shown, with the score that it has now."""
    contact = story.contact
    said: dict[str, Any] = {
        name: value for name, value in contact.attributes.items() if name in Contact.__struct_fields__
    }
    return Contact(
        **said,
        id=contact.id,
        external_id=contact.external_id,
        score=score_at(contact, now),
        activity={
            count.kind: Activity(
                count=count.count, first_at=moment(count.first_at), last_at=moment(count.last_at), total=count.total
            )
            for count in story.activity
        },
        created_at=moment(contact.created_at),
        updated_at=moment(contact.updated_at),
    )


def show_item(item: TimelineItem) -> TimelineEntry:
    """One thing that happened, as it is shown."""
    return TimelineEntry(kind=item.kind, id=item.id, at=moment(item.at), name=item.name, detail=item.detail)
