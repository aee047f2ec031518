"""Makes a customer of a lead.

Example, when the first order is paid, with an account for the company that the lead works for::

    {"id": "convert", "action": "lead_convert", "config": {"account": "create"}}

Where the lead names a company (``company_name``) and has no account, ``create`` gives it the account of that name, made
where there is none; ``link`` gives it only one that there is, and ``leave`` none. What is known of the lead stays. A
customer stays as it is, so that repeating it changes nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from nhip import Action, ActionFailed, Config, LocalAction, LocalContext, hookimpl


class LeadConvertConfig(Config):
    """What becomes of the company that a lead names."""

    account: Annotated[
        Literal["create", "link", "leave"],
        Meta(description="create: its account, made where there is none; link: only one that there is; leave: none."),
    ] = "create"


class LeadConvert(LocalAction):
    """Makes a customer of a lead."""

    kind = "lead_convert"
    config_type = LeadConvertConfig
    contacts = "lead"

    def run(self, context: LocalContext, config: LeadConvertConfig) -> Mapping[str, Any]:
        """Convert it; the output says whether it was ``converted``, and its ``account``."""
        contact = context.facts.get("contact")
        if contact is None:
            raise ActionFailed("the run's contact is gone")
        if contact.get("lifecycle") != "lead":
            return {"converted": False, "account": contact.get("account")}
        changes: dict[str, Any] = {"lifecycle": "customer"}
        account = contact.get("account")
        company = str(contact.get("company_name") or "").strip()
        if not account and company and config.account != "leave":
            found = context.account_of(company, create=config.account == "create")
            if found is not None:
                account = changes["account"] = found["external_id"]
        context.update_contact(changes)
        context.emit("lead.converted", {"account": account, "company_name": company or None})
        return {"converted": True, "account": account}


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [LeadConvert]
