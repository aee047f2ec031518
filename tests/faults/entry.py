"""The command that the fault tests run instead of `nhip`: the same program, perhaps with one canary broken into it.

`python -m tests.faults.entry nursery` imports the program once and forks a process for every line on its standard
input, `{"argv", "env", "log"}`; it answers `{"pid"}`, and later `{"pid", "status"}` when that process has ended. A
process born so runs the ordinary command line with an environment of its own, only without the two seconds of imports.
"""

import ctypes
import gc
import importlib
import os
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

import msgspec

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def run_nhip(argv: list[str]) -> NoReturn:
    """Run the product's own command line in this process, as its environment says."""
    if canary := os.environ.get("NHIP_TEST_CANARY"):
        from tests.faults import canaries

        canaries.apply(canary)
    from nhip.cli import main

    sys.argv = ["nhip", *argv]
    main()
    sys.exit(0)


def _import_all() -> None:
    """Import what every command needs, so that children need not."""
    from nhip.catalog import Catalog

    for name in (
        "nhip.cli",
        "nhip.worker",
        "nhip_admin_api.app",
        "uvicorn.lifespan.on",
        "uvicorn.protocols.http.httptools_impl",
    ):
        importlib.import_module(name)
    Catalog.load()
    gc.collect()
    gc.freeze()


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn this freshly forked process into what was ordered."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.clear()
        os.environ.update(order["env"])
        import nhip.crashpoints

        # It reads its variable when it is imported; the modules that use it hold functions over the same globals.
        importlib.reload(nhip.crashpoints)
        run_nhip(order["argv"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(**fields: Any) -> None:
    os.write(1, msgspec.json.encode(fields) + b"\n")


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(pid=pid, status=os.waitstatus_to_exitcode(status))


def nurse() -> None:
    """Fork what is ordered until standard input ends."""
    _import_all()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _say(ready=True)
    pending = b""
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _reap()
        if 0 not in readable:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *lines, pending = (pending + read).split(b"\n")
        for line in lines:
            order = msgspec.json.decode(line)
            pid = os.fork()
            if pid == 0:
                os.close(woken)
                os.close(wake)
                _become(order)
            _say(pid=pid)


if __name__ == "__main__":
    if sys.argv[1:] == ["nursery"]:
        nurse()
    else:
        run_nhip(sys.argv[1:])
