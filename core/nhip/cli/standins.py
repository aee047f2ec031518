"""``nhip standin``: a provider to try things with, which sends nothing and calls nobody."""

import click


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def standin(arguments: tuple[str, ...]) -> None:
    """Run a stand-in for a provider; with twilio, stringee and asterisk one calls by hand."""
    from nhip.testing.standins.__main__ import main

    main(arguments)
