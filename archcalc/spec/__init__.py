"""From YAML to a Graph: reader (text to marked tree), schema (tree to Spec), expansion (Spec to Graph)."""
