"""``/v1/channels``: configured instances of channels, with credentials that only go in."""

from functools import partial
from typing import Final

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from nhip.adapters.addresses import check_url
from nhip.bootstrap import Engine
from nhip.domain.authored import ChannelChange, ChannelDraft, StoredChannel
from nhip.services.channels.accounts import ChannelAccounts
from nhip.services.channels.trials import ChannelTests
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.channels import ChannelAccount, ChannelTest, ChannelTestOutcome


def provide_accounts(engine: TheEngine) -> ChannelAccounts:
    """The dependency ``accounts``."""
    guard = partial(check_url, allow_private=engine.settings.allow_private_hosts)
    return ChannelAccounts(engine.catalog, engine.vault, guard)


def provide_tests(engine: TheEngine) -> ChannelTests:
    """The dependency ``tests``."""
    return ChannelTests(
        engine.database,
        engine.catalog,
        engine.renderer,
        engine.channels,
        engine.clock,
        engine.settings.call_timeout_seconds,
    )


TheChannelAccounts = NamedDependency[ChannelAccounts]
TheChannelTests = NamedDependency[ChannelTests]
DEPENDENCIES: Final = {
    "accounts": Provide(provide_accounts, sync_to_thread=False),
    "tests": Provide(provide_tests, sync_to_thread=False),
}


class ChannelsController(Controller):
    """Channel accounts."""

    path = "/v1/channels"
    tags = ("Channels",)
    dependencies = DEPENDENCIES

    @post(guards=[requires("channels:write")], summary="Make a channel account")
    async def create_channel(
        self, engine: TheEngine, principal: ThePrincipal, accounts: TheChannelAccounts, data: JSONBody[ChannelDraft]
    ) -> Response[ChannelAccount]:
        """Configuration and secrets are checked with the plugin's own types. Secrets are sealed and never shown."""
        stored = await engine.database.transact(
            accounts.create, principal.workspace_id, data, principal.key_id, engine.clock.micros()
        )
        return tagged(_show(stored, accounts, engine), stored, created=f"/v1/channels/{stored.name}")

    @get(guards=[requires("channels:read")], summary="List channel accounts")
    async def list_channels(
        self, engine: TheEngine, principal: ThePrincipal, accounts: TheChannelAccounts, paging: ThePaging
    ) -> Response[Page[ChannelAccount]]:
        """By name."""
        rows = await engine.database.read(accounts.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, lambda row: _show(row, accounts, engine))

    @get("/{name:str}", guards=[requires("channels:read")], summary="Show a channel account")
    async def get_channel(
        self, engine: TheEngine, principal: ThePrincipal, accounts: TheChannelAccounts, name: FromPath[str]
    ) -> Response[ChannelAccount]:
        """With the address of its hook, which the provider has to know."""
        stored = await engine.database.read(accounts.find, principal.workspace_id, name)
        return tagged(_show(stored, accounts, engine), stored)

    @patch("/{name:str}", guards=[requires("channels:write")], summary="Change a channel account")
    async def change_channel(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        accounts: TheChannelAccounts,
        name: FromPath[str],
        data: JSONBody[ChannelChange],
        if_match: IfMatch = None,
    ) -> Response[ChannelAccount]:
        """A JSON merge patch: what is left out stays, null takes a field away. It holds from the next message on."""
        stored = await engine.database.transact(
            accounts.change,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(_show(stored, accounts, engine), stored)

    @delete("/{name:str}", guards=[requires("channels:write")], summary="Take a channel account away")
    async def delete_channel(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        accounts: TheChannelAccounts,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Refused while a workflow that is published, or that runs stand on, sends through it."""
        now = engine.clock.micros()
        await engine.database.transact(
            accounts.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )

    @post("/{name:str}/test", guards=[requires("channels:write")], status_code=200, summary="Send one message")
    async def test_channel(
        self, principal: ThePrincipal, tests: TheChannelTests, name: FromPath[str], data: JSONBody[ChannelTest]
    ) -> ChannelTestOutcome:
        """A real message through the real account, at once; answers with what the provider said."""
        tested = await tests.send(
            principal.workspace_id, name, to=data.to, template=data.template, data=data.data, actor=principal.key_id
        )
        return ChannelTestOutcome.of(tested)


def _show(stored: StoredChannel, accounts: ChannelAccounts, engine: Engine) -> ChannelAccount:
    plugin = engine.catalog.channels.get(stored.type)
    takes_calls = plugin is not None and plugin.capabilities.voice
    return ChannelAccount.of(stored, accounts.secrets_set(stored), engine.settings.public_url, takes_calls=takes_calls)
