# Tests that fail under Wine, each with its cause. `scripts/windows --tests`
# fails if another one does, and if one of these passes.
