"""`durable lint`: what in an orchestrator a replay cannot repeat, found in the source (R2, docs/lint.md).

Only syntax trees are read: nothing of the app is imported or run. A file is read in `source`, its names are looked up
in `scopes` and `meaning`, orchestrators are found in `roots` and followed in `walk`; each `check_*` module knows a
family of rules, whose texts are data in `rules*`.
"""
