"""Telesales: campaigns, and the calls to be made in them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    delete,
    false,
    func as sql,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)

from nhip.adapters.db.telesales_tables import telesales_campaigns as campaigns, telesales_entries as entries
from nhip.domain.telesales import (
    OPEN_STATES,
    CallingHours,
    Campaign,
    Entry,
    EntryFilter,
    EntryPlace,
    EntryState,
    GoingBack,
    RetryRules,
    Turn,
)

_CAMPAIGN: Final[list[Column[Any]]] = [campaigns.c[name] for name in Campaign.__struct_fields__]
_ENTRY: Final[list[Column[Any]]] = [entries.c[name] for name in Entry.__struct_fields__]
_FORMS: Final[Mapping[str, Any]] = {"agents": tuple[str, ...], "hours": CallingHours, "retry": RetryRules}
_encode: Final = msgspec.json.Encoder().encode
_decode_counts: Final = msgspec.json.Decoder(dict[str, int]).decode
_decode_history: Final = msgspec.json.Decoder(tuple[Turn, ...]).decode


def _campaign(row: Row[Any]) -> Campaign:
    values = {**row._mapping}
    for name, form in _FORMS.items():
        values[name] = msgspec.json.decode(values[name], type=form)
    values["auto_distribution"] = bool(values["auto_distribution"])
    return Campaign(**values)


def _campaign_values(campaign: Campaign) -> dict[str, Any]:
    values = msgspec.structs.asdict(campaign)
    values |= {name: _encode(values[name]).decode() for name in _FORMS}
    values["auto_distribution"] = int(campaign.auto_distribution)
    return values


def _entry(row: Sequence[Any]) -> Entry:
    values: dict[str, Any] = dict(zip(Entry.__struct_fields__, row, strict=False))
    values["counts"] = _decode_counts(values["counts"])
    values["history"] = _decode_history(values["history"])
    return Entry(**values)


def _entry_values(entry: Entry) -> dict[str, Any]:
    values = msgspec.structs.asdict(entry)
    values["counts"] = _encode(entry.counts).decode()
    values["history"] = _encode(entry.history).decode()
    return values


def _is_due(now: int, *, hours_open: bool) -> ColumnElement[bool]:
    return entries.c.due_at <= now if hours_open else false()


class SqlTelesales:
    """Implements :class:`nhip.ports.TelesalesStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def campaign(self, workspace_id: int, name: str, *, lock: bool = False, share: bool = False) -> Campaign | None:
        query = select(*_CAMPAIGN).where(campaigns.c.workspace_id == workspace_id, campaigns.c.name == name)
        if lock:
            query = query.with_for_update(key_share=True)
        elif share:
            query = query.with_for_update(read=True)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _campaign(row)

    def campaigns(self, workspace_id: int, after: str | None, limit: int) -> Sequence[Campaign]:
        query = select(*_CAMPAIGN).where(campaigns.c.workspace_id == workspace_id)
        if after is not None:
            query = query.where(campaigns.c.name > after)
        return [_campaign(row) for row in self._connection.execute(query.order_by(campaigns.c.name).limit(limit))]

    def insert_campaign(self, campaign: Campaign) -> None:
        self._connection.execute(insert(campaigns).values(**_campaign_values(campaign)))

    def update_campaign(self, campaign: Campaign) -> None:
        mine = (campaigns.c.workspace_id == campaign.workspace_id, campaigns.c.name == campaign.name)
        values = _campaign_values(campaign)
        del values["workspace_id"], values["name"]
        self._connection.execute(update(campaigns).where(*mine).values(**values))

    def set_last_agent(self, workspace_id: int, name: str, agent: str) -> None:
        mine = (campaigns.c.workspace_id == workspace_id, campaigns.c.name == name)
        self._connection.execute(update(campaigns).where(*mine).values(last_agent=agent))

    def delete_campaign(self, workspace_id: int, name: str) -> None:
        for table, column in ((entries, entries.c.campaign), (campaigns, campaigns.c.name)):
            self._connection.execute(delete(table).where(table.c.workspace_id == workspace_id, column == name))

    # --- entries ------------------------------------------------------------------------------------------------------

    def entry(self, workspace_id: int, campaign: str, entry_id: str, *, lock: bool = False) -> Entry | None:
        mine = (entries.c.workspace_id == workspace_id, entries.c.campaign == campaign, entries.c.id == entry_id)
        query = select(*_ENTRY).where(*mine)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _entry(row)

    def open_entry(self, workspace_id: int, campaign: str, contact_id: str) -> Entry | None:
        query = select(*_ENTRY).where(
            *self._open(workspace_id, campaign), entries.c.contact_id == contact_id, entries.c.closed_at.is_(None)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _entry(row)

    def open_entries(self, workspace_id: int, campaign: str) -> Sequence[Entry]:
        query = select(*_ENTRY).where(*self._open(workspace_id, campaign)).order_by(entries.c.id).with_for_update()
        return [_entry(row) for row in self._connection.execute(query)]

    def entries_of(self, workspace_id: int, agent: str) -> Sequence[Entry]:
        mine = (entries.c.workspace_id == workspace_id, entries.c.agent == agent, entries.c.closed_at.is_(None))
        query = select(*_ENTRY).where(*mine).order_by(entries.c.id).with_for_update()
        return [_entry(row) for row in self._connection.execute(query)]

    def going_back(self, now: int, limit: int, but: Collection[tuple[int, str]]) -> Sequence[GoingBack]:
        names = ("workspace_id", "campaign", "id", "contact_id")
        query = select(*(entries.c[name] for name in names)).where(*self._over(now))
        for workspace_id, campaign in but:
            query = query.where(or_(entries.c.workspace_id != workspace_id, entries.c.campaign != campaign))
        rows: Iterable[Sequence[Any]] = self._connection.execute(query.order_by(entries.c.back_at).limit(limit))
        return [GoingBack(**dict(zip(names, row, strict=True))) for row in rows]

    def hold_going_back(self, workspace_id: int, campaign: str, ids: Sequence[str], now: int) -> Sequence[Entry]:
        mine = (entries.c.workspace_id == workspace_id, entries.c.campaign == campaign, entries.c.id.in_(ids))
        query = select(*_ENTRY).where(*self._over(now), *mine).order_by(entries.c.id).with_for_update()
        return [_entry(row) for row in self._connection.execute(query)]

    def take_next(
        self, workspace_id: int, campaign: str, agent: str, others: Collection[str], now: int
    ) -> Entry | None:
        is_mine = entries.c.agent == agent
        is_nobodys = or_(entries.c.agent.is_(None), entries.c.agent.not_in(sorted({*others, agent})))
        query = (
            select(*_ENTRY)
            .where(
                *self._open(workspace_id, campaign),
                entries.c.due_at <= now,
                or_(and_(is_mine, entries.c.state == EntryState.OPEN), is_nobodys),
            )
            .order_by(entries.c.priority.desc(), case((is_mine, 0), else_=1), entries.c.due_at, entries.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _entry(row)

    def entries(
        self,
        workspace_id: int,
        campaign: str,
        wanted: EntryFilter,
        after: EntryPlace | None,
        limit: int,
        *,
        now: int,
        hours_open: bool,
    ) -> Sequence[tuple[Entry, EntryPlace]]:
        is_due = and_(entries.c.state == EntryState.OPEN, _is_due(now, hours_open=hours_open))
        group = case(
            (entries.c.state == EntryState.TAKEN, 0), (is_due, 1), (entries.c.state == EntryState.OPEN, 2), else_=3
        )
        first = case((group < 2, -entries.c.priority), (group == 2, entries.c.due_at), else_=-entries.c.closed_at)
        second = case((group < 2, entries.c.due_at), (group == 2, -entries.c.priority), else_=0)
        query = select(*_ENTRY, group, first, second).where(
            entries.c.workspace_id == workspace_id, entries.c.campaign == campaign
        )
        match wanted.state:
            case None:
                pass
            case EntryState.WAITING | EntryState.OPEN:
                query = query.where(
                    entries.c.closed_at.is_(None), group == (2 if wanted.state is EntryState.WAITING else 1)
                )
            case state:
                query = query.where(entries.c.state == state)
        if wanted.agent is not None:
            query = query.where(entries.c.agent == wanted.agent)
        order = (group, first, second, entries.c.id)
        if after is not None:
            query = query.where(
                tuple_(*order) > tuple_(*map(literal, (after.group, after.first, after.second, after.id)))
            )
        found = []
        for row in self._connection.execute(query.order_by(*order).limit(limit)):
            values: Sequence[Any] = tuple(row)
            entry = _entry(values)
            place = EntryPlace(now=now, group=values[-3], first=values[-2], second=values[-1], id=entry.id)
            found.append((entry, place))
        return found

    def counts(self, workspace_id: int, campaign: str, now: int, *, hours_open: bool) -> Mapping[str, int]:
        due = _is_due(now, hours_open=hours_open)
        state = case(
            (and_(entries.c.state == EntryState.OPEN, ~due), literal(EntryState.WAITING.value)), else_=entries.c.state
        ).label("shown")
        query = select(state, sql.count()).where(entries.c.workspace_id == workspace_id, entries.c.campaign == campaign)
        return {row[0]: row[1] for row in self._connection.execute(query.group_by(text("shown")))}

    def insert_entry(self, entry: Entry) -> None:
        self._connection.execute(insert(entries).values(**_entry_values(entry)))

    def update_entry(self, entry: Entry) -> None:
        mine = (entries.c.workspace_id == entry.workspace_id, entries.c.id == entry.id)
        self._connection.execute(update(entries).where(*mine).values(**_entry_values(entry)))

    def _over(self, now: int) -> tuple[ColumnElement[bool], ...]:
        # The conditions of the partial index, and how much of it is over.
        return (entries.c.closed_at.is_(None), entries.c.back_at.is_not(None), entries.c.back_at <= now)

    def _open(self, workspace_id: int, campaign: str) -> tuple[ColumnElement[bool], ...]:
        # The literal condition is that of the partial indexes.
        return (
            entries.c.workspace_id == workspace_id,
            entries.c.campaign == campaign,
            entries.c.closed_at.is_(None),
            entries.c.state.in_(OPEN_STATES),
        )
