"""The global names that a Lua 5.1 chunk uses, from its bytecode: what `luac -l` lists."""

import struct
from dataclasses import dataclass, field

import lupa.lua51

GET_GLOBAL, SET_GLOBAL = 5, 7
"""Numbers of the two instructions (lopcodes.h)."""
NIL, BOOLEAN, NUMBER, STRING = 0, 1, 3, 4
"""Numbers of the types of constants (lua.h)."""
HEADER = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"
"""Little-endian, with ints of 4 bytes, sizes of 8, instructions of 4, and numbers that are doubles."""


@dataclass
class Globals:
    """The global names that are read and assigned to, each with the lines of the chunk."""

    read: dict[str, list[int]] = field(default_factory=dict)
    assigned: dict[str, list[int]] = field(default_factory=dict)


def globals_of(source: str) -> Globals:
    """Compile a chunk. Raises `lupa.lua51.LuaSyntaxError`."""
    lua = lupa.lua51.LuaRuntime(encoding=None)
    compiled = lua.execute(b"return string.dump(assert(loadstring(...)))", source.encode())
    assert compiled.startswith(HEADER), compiled[:12]
    found = Globals()
    _Reader(compiled[len(HEADER) :]).function(found)
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, layout: str) -> tuple[int, ...]:
        size = struct.calcsize(f"<{layout}")
        values = struct.unpack(f"<{layout}", self._data[self._at : self._at + size])
        self._at += size
        return values

    def _int(self) -> int:
        return self._take("i")[0]

    def _string(self) -> str:
        (size,) = self._take("Q")
        text = self._data[self._at : self._at + size][:-1]
        self._at += size
        return text.decode(errors="replace")

    def _constant(self) -> str | None:
        (kind,) = self._take("B")
        if kind == STRING:
            return self._string()
        _ = self._take({NIL: "", BOOLEAN: "B", NUMBER: "d"}[kind])
        return None

    def function(self, found: Globals) -> None:
        """Read a function and those inside it."""
        self._string()  # the name of the chunk
        self._take("iiBBBB")
        code = self._take(f"{self._int()}I")
        constants = [self._constant() for _ in range(self._int())]
        for _ in range(self._int()):
            self.function(found)
        lines = self._take(f"{self._int()}i")
        for instruction, line in zip(code, lines, strict=True):
            names = {GET_GLOBAL: found.read, SET_GLOBAL: found.assigned}.get(instruction & 0x3F)
            if names is not None:
                name = constants[instruction >> 14]
                assert name is not None
                names.setdefault(name, []).append(line)
        for _ in range(self._int()):  # local variables
            self._string()
            self._take("ii")
        for _ in range(self._int()):  # upvalues
            self._string()
