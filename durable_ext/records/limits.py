"""Every hard limit in one place, with its reason. Nothing in the API makes a user know them (design section 5)."""

from __future__ import annotations

from datetime import timedelta

# A table property holds 64 KiB, counted as UTF-16: 32K characters.
MAX_COLUMN_CHARACTERS = 32 * 1024

# A payload longer than this goes to a blob of its own, so that rows stay readable and small (P1).
MAX_INLINE_PAYLOAD = 32 * 1024

# A queue message holds 64 KiB; ours are base64, which grows by a third, and stay at 45 KiB.
MAX_QUEUE_MESSAGE_BYTES = 45 * 1024

# Azure Queue Storage hides a message for at most seven days. A later message is sent again on the way.
MAX_QUEUE_DELAY = timedelta(days=6)

# Work items of one queue message: enough to save calls, few enough that they spread over workers (S7).
MAX_ITEMS_PER_MESSAGE = 50

# Longest instance id: the escaped id is a table key and the start of a blob name, which hold 1,024 characters.
MAX_INSTANCE_ID = 256

# Longest name of an orchestrator, an activity or an event.
MAX_NAME = 256

# Longest tag of activities: it is part of the name of a queue, which holds 63 characters.
MAX_TAG = 20

# Values that an instance keeps, and the length of one in bytes of JSON: all go along at each continue-as-new.
MAX_VALUES = 100
MAX_VALUE_BYTES = 16 * 1024

# Control queues of a task hub; Azure Functions declares one trigger for each.
MAX_PARTITIONS = 16
DEFAULT_PARTITIONS = 4

# No delivery outlives this: seven days of delay and the redeliveries after it. Then old executions may go (P7).
MAX_DELIVERY_AGE = timedelta(days=15)

# A session that stalled longer than this has lost its process or its lease for good (P10).
TOMBSTONE_AGE = timedelta(hours=24)

# Rows of one page of a table query.
MAX_PAGE = 1000

# Bytes after which a page of rows ends, however few there are on it: rows may be a million times as long as others.
MAX_PAGE_BYTES = 16 * 1024 * 1024

# What a blob may hold that was written by an earlier build, whose references do not tell the size.
MAX_BLOB_BYTES = 256 * 1024 * 1024

# Callbacks that code may run in a row without calling a verb of its context, and verbs that it may call
# for one input. The largest fan-outs need a twentieth of this; code that goes on longer is in an endless loop.
MAX_CALLBACKS = 200_000
MAX_CALLS = 200_000
