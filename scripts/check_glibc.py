#!/usr/bin/env python3
"""check_glibc.py PROGRAM: fails if PROGRAM needs a newer glibc than Lambda's provided.al2023 has."""

import re
import struct
import sys
from pathlib import Path

NEWEST = (2, 34)

SHT_GNU_VERNEED = 0x6FFFFFFE


def needed(elf: bytes) -> set[str]:
    """The symbol versions that a program needs, such as GLIBC_2.34: what readelf --version-info shows."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError("it is no 64-bit little-endian ELF program")
    (start,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    # Of each section: type, offset, link (for .gnu.version_r its table of strings), and info (how many libraries).
    sections = [struct.unpack_from("<4xI16xQ8xII", elf, start + size * index) for index in range(count)]
    if not sections:
        raise ValueError("it has no sections to read")
    versions = set()
    for kind, library, link, libraries in sections:
        if kind != SHT_GNU_VERNEED:
            continue
        strings = sections[link][1]
        for _ in range(libraries):
            names, first, next_library = struct.unpack_from("<2xH4xII", elf, library)
            version = library + first
            for _ in range(names):
                name, next_version = struct.unpack_from("<8xII", elf, version)
                versions.add(elf[strings + name : elf.index(b"\0", strings + name)].decode())
                version += next_version
            library += next_library
    return versions


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    try:
        versions = needed(Path(program).read_bytes())
    except (OSError, ValueError, IndexError, struct.error) as error:
        sys.exit(f"{program} cannot be checked: {error}.")
    glibc = {version.removeprefix("GLIBC_") for version in versions if version.startswith("GLIBC_")}
    # GLIBC_ABI_DT_RELR of glibc 2.36, for one.
    if unknown := {version for version in glibc if not re.fullmatch(r"\d+(\.\d+)+", version)}:
        sys.exit(f"{program} needs what provided.al2023 may not have: GLIBC_{', GLIBC_'.join(sorted(unknown))}.")
    numbers = [tuple(map(int, version.split("."))) for version in glibc]
    # None at all is no pass: a program of another libc, or one that was read wrongly.
    if not numbers:
        sys.exit(f"{program} names no version of glibc.")
    newest = max(numbers)
    shown = ".".join(map(str, newest))
    if newest > NEWEST:
        sys.exit(f"{program} needs glibc {shown}, and provided.al2023 has {'.'.join(map(str, NEWEST))}.")
    print(f"{program} needs glibc {shown}.")


if __name__ == "__main__":
    main()
