"""From YAML to a Graph: reader (text to tree), schema (tree to Spec), expansion (Spec to Graph)."""
