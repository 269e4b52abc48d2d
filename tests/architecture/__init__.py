"""The house rules, held by walking the syntax trees. Each rule has a planted violation that shows it can fail (T7)."""
