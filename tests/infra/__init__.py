"""What is deployed: the Bicep template, host.json, the example settings and the lists of what is shipped."""
