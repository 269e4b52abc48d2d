"""Names and keys: those of DurableTask.AzureStorage, and none that collide."""

from __future__ import annotations

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.providers.azure_storage.names import (
    AFTER_TURNS,
    CLAIM_PREFIX,
    HUB_KEY,
    PROCESSES_KEY,
    QUARANTINE_FOLDER,
    TOMBSTONES_KEY,
    WITHDRAWN_KEY,
    HubNames,
    escape,
    folder,
    turn_key,
    unescape,
)

from .samples import ODD_IDS, execution


def test_escaping_is_that_of_durable_task() -> None:
    assert escape("a/b^c#d?e\\f\x01\x7f") == "a^0b^^c^2d^3e^1f^Á^Ŀ"
    assert escape("order-1:0 ü") == "order-1:0 ü"


@pytest.mark.parametrize("instance_id", [*ODD_IDS, "a/b^c#d?e\\f\x01\x7f\x9f", "^^^", "^0"])
def test_escaping_can_be_undone(instance_id: str) -> None:
    assert unescape(escape(instance_id)) == instance_id


def test_no_id_escapes_to_a_key_of_ours() -> None:
    for key in (HUB_KEY, TOMBSTONES_KEY, PROCESSES_KEY, WITHDRAWN_KEY, QUARANTINE_FOLDER, "^4"):
        assert escape(key) != key
        assert escape(key[1:]) != key
        with pytest.raises(KeyError):
            unescape(key)


def test_names_are_those_of_durable_task() -> None:
    names = HubNames("MyHub", 2)
    assert names.control == ("myhub-control-00", "myhub-control-01")
    assert names.work == "myhub-workitems"
    assert (names.instances, names.history) == ("MyHubInstances", "MyHubHistory")
    assert names.blobs == "myhub-largemessages"


def test_a_queue_for_each_tag() -> None:
    """The host adds its suffix for poison, and 63 characters is all that a queue's name may have."""
    short, long = HubNames("MyHub", 1), HubNames("H" * 45, 1)
    assert (short.work_of(""), short.work_of("gpu")) == (short.work, "myhub-work-gpu")
    names = {long.work_of(tag) for tag in ("", "a", "gpu", "x" * 20, "y" * 20)}
    assert len(names) == 5
    assert all(len(name + "-poison") <= 63 for name in names)
    assert "h" * 45 + "-work-gpu" in names


@pytest.mark.parametrize(("instance_id", "partition"), [("a", 0), ("abc", 3), ("@counter@key1", 1), ("héllo", 0)])
def test_partitions_are_those_of_durable_task(instance_id: str, partition: int) -> None:
    names = HubNames("Hub", 4)
    assert names.control_of(instance_id) == names.control[partition]


def test_folders_of_neighbours_are_no_prefixes_of_each_other() -> None:
    folders = [folder(instance_id) for instance_id in [*ODD_IDS, "order-1", "order-10", "a", "a.", "a^4", "^4"]]
    assert len(set(folders)) == len(folders)
    assert [(one, two) for one in folders for two in folders if one != two and two.startswith(one)] == []
    assert not any(part.endswith(".") for name in folders for part in name.split("/"))


def test_turn_keys_sort_by_generation_and_number() -> None:
    keys = [turn_key(execution(generation=generation), number) for generation in (0, 9, 16) for number in (0, 9, 255)]
    assert keys == sorted(keys)
    assert keys[0] == "00000000-e1-00000000"
    assert turn_key(execution(generation=0xFFFFFFFF), 0) < AFTER_TURNS < CLAIM_PREFIX


@pytest.mark.parametrize("hub", ["", "ab", "1hub", "my-hub", "h" * 46, "hüb"])
def test_a_hub_name_that_cannot_be_is_refused(hub: str) -> None:
    with pytest.raises(ConfigurationError):
        HubNames(hub, 4)


@pytest.mark.parametrize("partitions", [0, 17])
def test_a_partition_count_that_cannot_be_is_refused(partitions: int) -> None:
    with pytest.raises(ConfigurationError):
        HubNames("Hub", partitions)
