"""Reports: the Table defined once, then one small writer a format."""
