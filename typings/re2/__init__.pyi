# The part of google-re2 that is used here; the package has no types of its own.

class error(Exception): ...  # noqa: N801 - its name in the package

class Options:
    log_errors: bool
    def __init__(self) -> None: ...

class _Regexp:
    def search(self, text: str | bytes) -> object | None: ...

def compile(pattern: str, options: Options | None = None) -> _Regexp: ...  # noqa: A001 - as in re
