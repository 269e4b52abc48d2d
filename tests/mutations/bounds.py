"""Breaks of what keeps one instance, one caller, one hub from harming another: bounds, names, whose a thing is."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_AZURE = "durable_ext/providers/azure_storage/"
_AUTHORING = "durable_ext/authoring/"
_CLIENT = "durable_ext/worker/client/"
_HTTP = "durable_ext/http_api/"
_ENGINES = ("tests/azure_storage/test_other_engines.py", "-k", "not emulator")
_ENDLESS = ("tests/replay/test_endless_code.py",)
_NAMES = ("tests/authoring/test_names.py", "tests/scenarios/test_namesakes.py")
_WAITS = ("tests/scenarios/test_client_waits.py",)
_LIMITS = ("tests/http_api/test_limits.py",)
_CALLERS = ("tests/host/test_callers.py",)

BOUND_MUTATIONS = (
    Mutation(
        "foreign hub",
        "a host takes over the hub of another engine",
        _AZURE + "hub.py",
        "        await refuse_foreign_hub(client, names)\n        await client.create_table(names.history)\n",
        "        await client.create_table(names.history)\n",
        _ENGINES,
    ),
    Mutation(
        "foreign hub",
        "a client says of the hub of another engine that there is none",
        _AZURE + "hub.py",
        "        await refuse_foreign_hub(client, names)\n        raise HubNotFoundError(",
        "        raise HubNotFoundError(",
        _ENGINES,
    ),
    Mutation(
        "foreign hub",
        "leases of another engine are no sign of it",
        _AZURE + "foreign.py",
        "        if await _has_container(client, container):\n",
        "        if False:\n",
        _ENGINES,
    ),
    Mutation(
        "foreign hub",
        "a row that something else wrote is taken for one of ours",
        _AZURE + "foreign.py",
        "            if column in entity:\n",
        "            if True:\n",
        _ENGINES,
    ),
    Mutation(
        "endless",
        "code that swallows its refusal is not failed",
        "durable_ext/replay/loop.py",
        "            self.refusal = self.refusal or endless(place, what)\n            self._knife.refused()\n"
        "            raise self.refusal\n",
        "            self._knife.refused()\n            raise endless(place, what)\n",
        _ENDLESS,
    ),
    Mutation(
        "endless",
        "what endless code asked for is kept",
        "durable_ext/replay/live.py",
        "                self._decided.clear()  # however much of it there is\n",
        "                pass\n",
        _ENDLESS,
    ),
    Mutation(
        "endless",
        "nobody hears which line never waits",
        "durable_ext/replay/loop.py",
        "        place = next((found for found in places if found is not None), None)\n",
        "        place = None\n",
        _ENDLESS,
    ),
    Mutation(
        "endless",
        "an operation that waits is one that spins",
        "durable_ext/worker/entities/waiting.py",
        "handed_over + 1 if asked is None else 0\n",
        "handed_over + 1\n",
        ("tests/worker/test_endless_operations.py",),
    ),
    Mutation(
        "R5",
        "a function means whichever is called the same",
        _AUTHORING + "names.py",
        "        return (id(function.__self__), id(function.__func__))\n    return id(function)\n",
        "        return (id(function.__self__), id(function.__func__))\n"
        '    return getattr(function, "__name__", id(function))\n',
        _NAMES,
    ),
    Mutation(
        "R5",
        "a wrapper means the first of several",
        _AUTHORING + "names.py",
        "        return found[0] if len(found) == 1 else None\n",
        "        return found[0] if found else None\n",
        _NAMES,
    ),
    Mutation(
        "client",
        "an event to an instance at work here looks it up first",
        _CLIENT + "core.py",
        "        if self.is_at_work(instance_id):\n            return\n",
        "",
        _WAITS,
    ),
    Mutation(
        "client",
        "what rested here for long is taken to go on",
        "durable_ext/worker/sessions.py",
        "        return kept is not None and self._services.clock() - kept[0] < _JUST_NOW\n",
        "        return kept is not None\n",
        _WAITS,
    ),
    Mutation(
        "client",
        "what a client sends to its own process waits for a poll",
        _CLIENT + "core.py",
        "        if self.local is None or message.due is not None or not self.local.has_room():\n",
        "        if self.local is None or True:\n",
        _WAITS,
    ),
    Mutation(
        "client",
        "a row that comes between two looks is lost",
        "durable_ext/worker/signals.py",
        "        if not self._news.is_set() and seconds > 0:\n",
        "        self._news.clear()\n        if seconds > 0:\n",
        _WAITS,
    ),
    Mutation(
        "HTTP",
        "bytes in flight have no bound",
        _HTTP + "room.py",
        "        if not always and others > 0 and self._held + size > self._most:\n",
        "        if False:\n",
        _LIMITS,
    ),
    Mutation(
        "HTTP",
        "a request that is over keeps its room",
        _HTTP + "room.py",
        "            self._held -= share.size\n",
        "            pass\n",
        _LIMITS,
    ),
    Mutation(
        "HTTP",
        "a body takes no room while it arrives",
        _HTTP + "intake.py",
        "                share.take(len(chunk))\n",
        "",
        _LIMITS,
    ),
    Mutation(
        "HTTP",
        "a host answers to any name",
        "durable_ext/host/callers.py",
        "        if not self._is_own(host):\n",
        "        if False:\n",
        _CALLERS,
    ),
    Mutation(
        "HTTP",
        "a page of another origin drives the host",
        "durable_ext/host/callers.py",
        '        if method != "OPTIONS" and self._is_foreign(method, host, headers):\n',
        "        if False:\n",
        _CALLERS,
    ),
)
