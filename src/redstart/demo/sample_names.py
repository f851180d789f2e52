"""Names and texts for the documents of the sample."""

from random import Random

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The digits of a ULID: no I, L, O, U."""

PEOPLE = (
    "Ada Holm",
    "Bjørn Lie",
    "Chiara Rossi",
    "Deepa Nair",
    "Émile Roux",
    "Faye O'Brien",
    "Гаяне Петросян",
)
SITES = ("Reedbed North", "Old Lighthouse", "Heron Island", "Quarry", "Salt Marsh", "Willow Ditch")
WEATHERS = ("clear", "drizzle", "fog until 9", "NW 4-5", "", "overcast, 8/8")
SPECIES = ("common redstart", "black redstart", "whinchat", "bluethroat", "reed warbler", "wryneck")

TEXTS_LIKE_DATES = (
    "2020-01-02T03:04:05",
    "2019-05-05",
    "1700000000",
    "1672531200.0",
    "yesterday",
    "ring 2021-03-04 lost",
    "2023-01-01T00:00:00Z",
    "",
)
"""Values of `str` fields: to be kept as they are."""

PLACES = ("Harbour", "Mill pond", "Dunes", "Vicarage garden", "Pier 3", "Railway cutting")
ODD_PLACES = (
    "Farmer's barn",
    'the "Rookery"',
    """Old Tom's "Folly\"""",
    "hide\\east",
    "\\",
    "N.W. corner",
    "$.ringed_at",
    "two  spaces ",
    "Großer Grünsee",
    "渡り鳥",
    "🐦",
    "[0]",
    "*",
    "",
)
"""Keys of a map that are hard to write as a path: quotes of one kind and of both, backslashes, dots, none."""


def ulid(random: Random) -> str:
    """Return 26 characters in the format of a ULID."""
    digits = random.getrandbits(125)
    return "0" + "".join([CROCKFORD[digits >> shift & 31] for shift in range(0, 125, 5)])
