"""Breaks of what takes history away: a purge means executions by their ids, and leaves what began meanwhile (P10)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_AZURE = "durable_ext/providers/azure_storage/"
_SQLITE = "durable_ext/providers/sqlite/"
_WORKER = "durable_ext/worker/"
_SCENARIOS = "tests/scenarios/"
_DOUBLE = "tests/storage_double/test_conformance.py"
_PURGES = "tests/storage_double/test_purges.py"

PURGE_MUTATIONS = (
    Mutation(
        "P10",
        "a purge leaves no tombstone",
        _AZURE + "purging.py",
        "        left = {key_of(entity) for entity in tombstones}\n",
        "        left, changes = set(), list(map(key_of, tombstones))\n",
        (_DOUBLE, "-k", "purge"),
    ),
    Mutation(
        "P10",
        "a purge trusts the row that it was given",
        _AZURE + "purging.py",
        "            if current is not None and current.execution != row.execution:\n                return\n",
        "",
        (_DOUBLE, _PURGES),
    ),
    Mutation(
        "P10",
        "a purge deletes a payload that was written anew",
        _AZURE + "blobs.py",
        "blob.name, blob.etag)",
        "blob.name)",
        (_PURGES,),
    ),
    Mutation(
        "P10",
        "a purge takes the payload of a start under way",
        _AZURE + "names.py",
        'if owner else ""',
        'if False else ""',
        (_DOUBLE, _PURGES),
    ),
    Mutation(
        "P10",
        "the children of earlier executions are forgotten",
        _WORKER + "lineage.py",
        "    return first.previous if isinstance(first, ExecutionStarted) else None\n",
        "    return None\n",
        (_SCENARIOS + "test_purged_families.py",),
    ),
    Mutation(
        "P10",
        "a purge takes the payloads of neighbours",
        _AZURE + "names.py",
        'kept + "^4" * (len(escaped) - len(kept)) + "/" +',
        'kept + "^4" * (len(escaped) - len(kept)) +',
        (_DOUBLE,),
    ),
    Mutation(
        "P10",
        "a purge means whatever has no higher generation",
        _AZURE + "purging.py",
        "            if current is not None and current.execution != row.execution:\n",
        "            if current is not None and current.execution.generation > row.execution.generation:\n",
        (_DOUBLE, _PURGES),
    ),
    Mutation(
        "P10",
        "a purge in SQLite means whatever has no higher generation",
        _SQLITE + "purging.py",
        "    if stored is not None and stored.row.execution != execution:\n",
        "    if stored is not None and stored.row.execution.generation > execution.generation:\n",
        ("tests/sqlite/test_conformance.py",),
    ),
    Mutation(
        "P10",
        "a purge takes payloads of executions that it was not told of",
        _AZURE + "purging.py",
        "    return [blob for blob in blobs if ",
        "    return list(blobs) or [blob for blob in blobs if ",
        (_PURGES,),
    ),
    Mutation(
        "P10",
        "a purge takes the row that an execution has written meanwhile",
        _AZURE + "purging.py",
        "            if current is None or current.execution != execution:\n",
        "            if current is None:\n",
        (_PURGES,),
    ),
    Mutation(
        "P10",
        "a purge does not look at the row although there is more than it names",
        _AZURE + "purging.py",
        "        if etag is None or blobs or not kept.is_only(row.execution):\n",
        "        if etag is None:\n",
        (_PURGES,),
    ),
    Mutation(
        "P10",
        "a late start of a purged execution has no tombstone to lose to",
        _AZURE + "purging.py",
        "[] if known else [turn_rows.first_tombstone(execution)]",
        "[]",
        (_DOUBLE, _PURGES),
    ),
)
