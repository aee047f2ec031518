"""``nhip demo``: the HUB platform's published case, played against real processes.

It starts ``nhip serve`` and a Zalo stand-in as processes of their own and talks to them over HTTP, like any client; it
imports nothing of the engine.
"""
