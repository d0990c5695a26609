"""What the supported SDKs can send, read from their installed source, and what becomes of each.

Three verdicts: captured (the patches' own tables say so), free and not yet (`verdicts/*.toml` say
so, with the reason). A method without a verdict is a finding that names it.
"""
