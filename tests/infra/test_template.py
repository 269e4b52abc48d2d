"""The properties of the template that a later edit must not lose, each with the edit that its test catches (T7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .template import TEMPLATE, parsed, resources, smallest, the_resource

TEXT = TEMPLATE.read_text(encoding="utf-8")

BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
ROLES = {
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}
MONITORING_METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"

# Flex Consumption keeps these in functionAppConfig and refuses a deployment that has them as settings.
REFUSED_SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "FUNCTIONS_EXTENSION_VERSION",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_RUN_FROM_PACKAGE",
    "ENABLE_ORYX_BUILD",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
}


def storage_takes_no_keys(text: str) -> bool:
    properties = the_resource(text, "Microsoft.Storage/storageAccounts")["properties"]
    return properties["allowSharedKeyAccess"] is False and properties["defaultToOAuthAuthentication"] is True


def storage_is_closed(text: str) -> bool:
    properties = the_resource(text, "Microsoft.Storage/storageAccounts")["properties"]
    container = the_resource(text, "Microsoft.Storage/storageAccounts/blobServices/containers")["properties"]
    return (
        properties["allowBlobPublicAccess"] is False
        and properties["supportsHttpsTrafficOnly"] is True
        and properties["minimumTlsVersion"] in {"TLS1_2", "TLS1_3"}
        and container["publicAccess"] == "None"
    )


def telemetry_takes_no_keys(text: str) -> bool:
    return the_resource(text, "Microsoft.Insights/components")["properties"]["DisableLocalAuth"] is True


def purged_blobs_are_gone(text: str) -> bool:
    service = the_resource(text, "Microsoft.Storage/storageAccounts/blobServices")
    return service["properties"]["deleteRetentionPolicy"]["enabled"] is False


def roles_are_given(text: str) -> bool:
    variables = parsed(text)["variables"]
    listed = {role["name"]: role["id"] for role in variables["accountRoles"]["value"]}
    assignments = resources(text, "Microsoft.Authorization/roleAssignments")
    return (
        listed == ROLES
        and variables["blobOwner"]["value"] == BLOB_OWNER
        and variables["monitoringMetricsPublisher"]["value"] == MONITORING_METRICS_PUBLISHER
        and (assignments["storageAccess"]["scope"], assignments["insightsAccess"]["scope"]) == ("storage", "insights")
    )


def blobs_are_opened_by_container(text: str) -> bool:
    assignments = resources(text, "Microsoft.Authorization/roleAssignments")
    names = parsed(text)["variables"]["containerNames"]["value"]
    return (
        "containers" in str(assignments["blobAccess"]["scope"])
        and "blobOwner" not in str(assignments["storageAccess"])
        and {"azure-webjobs-hosts", "azure-webjobs-secrets", "deploymentContainerName"} <= set(map(str, names))
        and any("-largemessages" in str(name) for name in names)
    )


def storage_hears_the_network_of_the_app(text: str) -> bool:
    rules = the_resource(text, "Microsoft.Storage/storageAccounts")["properties"]["networkAcls"]
    default = rules["defaultAction"]["operator"]["operands"]
    subnet = the_resource(text, "Microsoft.Network/virtualNetworks")["config"]["properties"]["subnets"][0]["properties"]
    site = the_resource(text, "Microsoft.Web/sites")["properties"]
    return (
        parsed(text)["parameters"]["closedNetwork"]["default"] is True
        and (default["condition"], default["true_value"]) == ("closedNetwork", "Deny")
        and "network" in str(rules["virtualNetworkRules"])
        and subnet["serviceEndpoints"] == [{"service": "Microsoft.Storage"}]
        and subnet["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
        and "network" in str(site["virtualNetworkSubnetId"])
    )


def nobody_publishes_by_password(text: str) -> bool:
    policy = the_resource(text, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    return (policy["parent"], policy["properties"]["allow"]) == ("app", False) and "['ftp', 'scm']" in text


def roles_come_first(text: str) -> bool:
    assignments = set(resources(text, "Microsoft.Authorization/roleAssignments"))
    return assignments <= set(the_resource(text, "Microsoft.Web/sites")["dependsOn"])


def plan_is_flex(text: str) -> bool:
    plan = the_resource(text, "Microsoft.Web/serverfarms")
    return plan["sku"] == {"tier": "FlexConsumption", "name": "FC1"} and plan["properties"]["reserved"] is True


def runtime_is_python(text: str) -> bool:
    runtime = the_resource(text, "Microsoft.Web/sites")["properties"]["functionAppConfig"]["runtime"]
    allowed = next(
        item["argument"]
        for item in parsed(text)["parameters"][runtime["version"]]["decorators"]
        if item["type"] == "allowed"
    )
    return runtime["name"] == "python" and all(tuple(map(int, version.split("."))) >= (3, 11) for version in allowed)


def http_is_concurrent(text: str) -> bool:
    scale = the_resource(text, "Microsoft.Web/sites")["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    return smallest(text, scale["triggers"]["http"]["perInstanceConcurrency"]) > 1


def deployment_uses_the_identity(text: str) -> bool:
    site = the_resource(text, "Microsoft.Web/sites")
    deployment = site["properties"]["functionAppConfig"]["deployment"]["storage"]
    return (
        deployment["authentication"]["type"] == "UserAssignedIdentity"
        and site["identity"]["type"] == "UserAssigned"
        and site["properties"]["httpsOnly"] is True
    )


def settings_name_no_secret(text: str) -> bool:
    settings = the_resource(text, "Microsoft.Web/sites/config")["properties"]
    identity = {"AzureWebJobsStorage__accountName", "AzureWebJobsStorage__clientId", "AZURE_CLIENT_ID"}
    by_identity = identity <= settings.keys() and settings["AzureWebJobsStorage__credential"] == "managedidentity"
    telemetry = str(settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]).endswith("Authorization=AAD")
    return by_identity and telemetry and "AzureWebJobsStorage" not in settings and "listKeys" not in text


def settings_are_accepted_by_flex(text: str) -> bool:
    return REFUSED_SETTINGS.isdisjoint(the_resource(text, "Microsoft.Web/sites/config")["properties"])


def partitions_are_within_limits(text: str) -> bool:
    bounds = {item["type"]: item["argument"] for item in parsed(text)["parameters"]["partitions"]["decorators"]}
    return (bounds["min_value"], bounds["max_value"]) == (1, 16)


Rule = Callable[[str], bool]

# Each rule with an edit that breaks it: the text to replace, and what it becomes.
RULES: list[tuple[Rule, str, str]] = [
    (storage_takes_no_keys, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
    (storage_is_closed, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    (storage_is_closed, "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'"),
    (storage_is_closed, "publicAccess: 'None'", "publicAccess: 'Blob'"),
    (telemetry_takes_no_keys, "DisableLocalAuth: true", "DisableLocalAuth: false"),
    (purged_blobs_are_gone, "enabled: false", "enabled: true"),
    (roles_are_given, "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
    (blobs_are_opened_by_container, "scope: containers[number]", "scope: storage"),
    (blobs_are_opened_by_container, "  'azure-webjobs-hosts'\n", ""),
    (storage_hears_the_network_of_the_app, "param closedNetwork bool = true", "param closedNetwork bool = false"),
    (storage_hears_the_network_of_the_app, "closedNetwork ? 'Deny' : 'Allow'", "closedNetwork ? 'Allow' : 'Allow'"),
    (storage_hears_the_network_of_the_app, "service: 'Microsoft.Storage'", "service: 'Microsoft.Sql'"),
    (
        storage_hears_the_network_of_the_app,
        "    virtualNetworkSubnetId: closedNetwork ? network.properties.subnets[0].id : null\n",
        "",
    ),
    (nobody_publishes_by_password, "    allow: false", "    allow: true"),
    (nobody_publishes_by_password, "['ftp', 'scm']", "['ftp']"),
    (roles_are_given, "974c5e8b", "974c5e8c"),
    (roles_are_given, "0a9a7e1f", "0a9a7e10"),
    (roles_are_given, "3913510d", "3913510e"),
    (roles_are_given, "scope: insights", "scope: storage"),
    (roles_come_first, "    storageAccess\n", ""),
    (roles_come_first, "    blobAccess\n", ""),
    (plan_is_flex, "tier: 'FlexConsumption'", "tier: 'Dynamic'"),
    (runtime_is_python, "@allowed(['3.11', '3.12'])", "@allowed(['3.10', '3.11'])"),
    (http_is_concurrent, "param httpPerInstanceConcurrency int = 32", "param httpPerInstanceConcurrency int = 1"),
    (http_is_concurrent, "@minValue(2)", "@minValue(1)"),
    (deployment_uses_the_identity, "httpsOnly: true", "httpsOnly: false"),
    (deployment_uses_the_identity, "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'"),
    (settings_name_no_secret, "    AzureWebJobsStorage__clientId: identity.properties.clientId\n", ""),
    (settings_name_no_secret, "AzureWebJobsStorage__accountName: storage.name", "AzureWebJobsStorage: 'key'"),
    (settings_are_accepted_by_flex, "DURABLE_HUB: hub", "FUNCTIONS_WORKER_RUNTIME: 'python'"),
    (partitions_are_within_limits, "@maxValue(16)", "@maxValue(32)"),
]


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in RULES), ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: Rule) -> None:
    assert rule(TEXT)


@pytest.mark.parametrize(("rule", "old", "new"), RULES)
def test_an_edit_that_breaks_the_rule_is_found(rule: Rule, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    edited = TEXT.replace(old, new)
    try:
        kept = rule(edited)
    except KeyError:
        kept = False
    assert not kept


def test_the_parameter_file_names_parameters_of_the_template() -> None:
    lines = TEMPLATE.with_suffix(".bicepparam").read_text(encoding="utf-8").splitlines()
    given = {line.split()[1] for line in lines if line.startswith("param ")}
    declared = parsed(TEXT)["parameters"]
    assert "using './main.bicep'" in lines
    assert given <= set(declared)
    assert {name for name, body in declared.items() if body["default"] is None} <= given
