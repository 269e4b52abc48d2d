"""Apps as people write them for azure-functions-durable; test_apps.py runs them under both names."""
