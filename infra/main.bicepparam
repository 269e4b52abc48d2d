using './main.bicep'

param name = 'durable'
param hub = 'durable'
param partitions = 4
param httpAuthLevel = 'function'
