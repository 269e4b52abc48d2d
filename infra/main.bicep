// Everything one task hub needs on Azure: a Flex Consumption app, its storage account, its identity and its telemetry.
// No secret is made or stored: storage and telemetry take Entra tokens only, the app has one identity for both, and
// nobody publishes by password. Storage hears the app's own network only.
// docs/deploy.md walks through it.

targetScope = 'resourceGroup'

@description('Short name of the app; letters and digits. Names of resources derive from it.')
@minLength(3)
@maxLength(16)
param name string

@description('Region of all resources. It has to offer Flex Consumption.')
param location string = resourceGroup().location

@description('Version of Python. Write the one that the tests were run with.')
@allowed(['3.11', '3.12'])
param pythonVersion string = '3.11'

@description('Name of the task hub: the prefix of its queues, tables and container.')
@minLength(3)
@maxLength(45)
param hub string = 'durable'

@description('Control queues of the task hub. Fixed for its lifetime; see docs/deploy.md on what one more costs.')
@minValue(1)
@maxValue(16)
param partitions int = 4

@description('Key that the management API asks for.')
@allowed(['anonymous', 'function', 'admin'])
param httpAuthLevel string = 'function'

@description('HTTP requests that one instance answers at once. Flex Consumption gives Python 1 unless it is set.')
@minValue(2)
@maxValue(1000)
param httpPerInstanceConcurrency int = 32

@description('Memory of an instance, in MB. Processor time grows with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances of one scaling group.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Instances kept warm and paid for while idle: [{ name: \'http\', instanceCount: 1 }], or function:<name>.')
param alwaysReady array = []

@description('Whether storage takes calls from the network of the app only, which the template then makes. Needs the resource provider Microsoft.App.')
param closedNetwork bool = true

@description('Addresses of the network of the app. A subnet of Flex Consumption needs at least 32.')
param networkPrefix string = '10.20.0.0/24'

@description('Public addresses beside it that storage takes calls from, as 203.0.113.7 or 203.0.113.0/24: who runs the durable command.')
param allowedIpRanges array = []

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

var suffix = uniqueString(resourceGroup().id, name)
var deploymentContainerName = 'app-package'
// What the app is deployed from, what the Functions host keeps for itself, and the long payloads of the hub.
var containerNames = [
  deploymentContainerName
  'azure-webjobs-hosts'
  'azure-webjobs-secrets'
  '${toLower(hub)}-largemessages'
]

// Built-in roles, by the ids that are the same in every tenant.
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
// For the whole account: the app makes its queues and tables itself, those of tags under names that only it knows.
var accountRoles = [
  {
    name: 'Storage Queue Data Contributor'
    id: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  }
  {
    name: 'Storage Table Data Contributor'
    id: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  }
]
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${name}-${suffix}'
  location: location
}

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = if (closedNetwork) {
  name: 'vnet-${name}-${suffix}'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        networkPrefix
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: networkPrefix
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          serviceEndpoints: [
            {
              service: 'Microsoft.Storage'
            }
          ]
        }
      }
    ]
  }
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: take('st${toLower(name)}${suffix}', 24)
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closedNetwork ? 'Deny' : 'Allow'
      virtualNetworkRules: closedNetwork ? [
        {
          id: network.properties.subnets[0].id
          action: 'Allow'
        }
      ] : []
      ipRules: [for range in allowedIpRanges: {
        value: range
        action: 'Allow'
      }]
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
  properties: {
    // A purge has to remove payloads for good.
    deleteRetentionPolicy: {
      enabled: false
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in containerNames: {
  parent: blobs
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}-${suffix}'
  location: location
  properties: {
    retentionInDays: logRetentionDays
    sku: {
      name: 'PerGB2018'
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}-${suffix}'
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    DisableLocalAuth: true
  }
}

resource blobAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, number) in containerNames: {
  name: guid(containers[number].id, identity.id, blobOwner)
  scope: containers[number]
  properties: {
    description: 'Storage Blob Data Owner'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}]

resource storageAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in accountRoles: {
  name: guid(storage.id, identity.id, role.id)
  scope: storage
  properties: {
    description: role.name
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.id)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}]

resource insightsAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, monitoringMetricsPublisher)
  scope: insights
  properties: {
    description: 'Monitoring Metrics Publisher'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}-${suffix}'
  location: location
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${name}-${suffix}'
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: closedNetwork ? network.properties.subnets[0].id : null
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
    }
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: {
          http: {
            perInstanceConcurrency: httpPerInstanceConcurrency
          }
        }
      }
    }
  }
  // The first start reads storage; without the roles it would fail and be tried again much later.
  dependsOn: [
    containers
    blobAccess
    storageAccess
    insightsAccess
  ]
}

// Code is published with an Entra token, as `func azure functionapp publish` does; no password opens the app.
resource publishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for way in ['ftp', 'scm']: {
  parent: app
  name: way
  properties: {
    allow: false
  }
}]

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    AZURE_CLIENT_ID: identity.properties.clientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    DURABLE_STORAGE: 'azure'
    DURABLE_HUB: hub
    DURABLE_PARTITIONS: string(partitions)
    DURABLE_HTTP_AUTH_LEVEL: httpAuthLevel
  }
}

output appName string = app.name
output appUrl string = 'https://${app.properties.defaultHostName}'
output storageAccountName string = storage.name
output identityClientId string = identity.properties.clientId
