"""The customers of the demonstration: Vietnamese names, addresses and mobile numbers, all of them made up.

Names are composed by how common their parts are. Addresses have two levels, as in Vietnam since July 2025. A number is
an operator's prefix and ``0000`` with three digits, which no operator gives to anybody.
"""

import random
import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec

_FAMILY: Final = {
    "Nguyễn": 32, "Trần": 11, "Lê": 9, "Phạm": 7, "Hoàng": 4, "Huỳnh": 4, "Phan": 4, "Vũ": 3, "Võ": 3, "Đặng": 3,
    "Bùi": 2, "Đỗ": 2, "Hồ": 2, "Ngô": 2, "Dương": 2, "Lý": 1, "Đinh": 1, "Mai": 1, "Tô": 1, "Tạ": 1, "Lương": 1,
}  # fmt: skip
_WOMEN: Final = (
    ("Thị", "Thị Thu", "Thị Ngọc", "Thị Hồng", "Ngọc", "Thanh", "Bảo", "Khánh", "Phương", "Minh", "Thùy", "Hoàng"),
    ("Anh", "Hà", "Hương", "Lan", "Linh", "Mai", "Nga", "Ngân", "Nhung", "Oanh", "Quỳnh", "Thảo", "Trang", "Trâm",
     "Uyên", "Vy", "Yến", "Hạnh", "Diệp", "Giang"),
)  # fmt: skip
_MEN: Final = (
    ("Văn", "Hữu", "Đức", "Minh", "Quang", "Anh", "Quốc", "Gia", "Xuân", "Công", "Đình", "Hoàng"),
    ("Bình", "Cường", "Dũng", "Duy", "Đạt", "Hải", "Hiếu", "Hùng", "Huy", "Khang", "Khoa", "Long", "Nam", "Phong",
     "Phúc", "Quân", "Sơn", "Thắng", "Tuấn", "Việt"),
)  # fmt: skip
_PLACES: Final = {
    "Thành phố Hồ Chí Minh": (
        28, ("Phường Sài Gòn", "Phường Bến Thành", "Phường Tân Định", "Phường Gò Vấp", "Phường Bình Thạnh",
             "Phường Thủ Đức", "Phường Phú Nhuận", "Phường Tân Bình"),
    ),
    "Thành phố Hà Nội": (
        24, ("Phường Hoàn Kiếm", "Phường Ba Đình", "Phường Đống Đa", "Phường Cầu Giấy", "Phường Hai Bà Trưng",
             "Phường Tây Hồ", "Phường Thanh Xuân", "Phường Long Biên"),
    ),
    "Thành phố Đà Nẵng": (9, ("Phường Hải Châu", "Phường Thanh Khê", "Phường Sơn Trà", "Phường Hội An")),
    "Thành phố Hải Phòng": (7, ("Phường Hồng Bàng", "Phường Lê Chân", "Phường Ngô Quyền", "Phường Hải An")),
    "Thành phố Cần Thơ": (7, ("Phường Ninh Kiều", "Phường Cái Răng", "Phường Bình Thủy")),
    "Thành phố Huế": (5, ("Phường Thuận Hóa", "Phường Phú Xuân")),
    "Tỉnh Khánh Hòa": (5, ("Phường Nha Trang", "Phường Bắc Nha Trang")),
    "Tỉnh Lâm Đồng": (5, ("Phường Xuân Hương - Đà Lạt", "Phường Cam Ly - Đà Lạt")),
    "Tỉnh Nghệ An": (5, ("Phường Vinh Phú", "Phường Trường Vinh")),
    "Tỉnh Quảng Ninh": (5, ("Phường Hồng Gai", "Phường Bãi Cháy")),
}  # fmt: skip
_PREFIXES: Final = (
    "032", "033", "034", "035", "036", "037", "038", "039", "086", "096", "097", "098",  # Viettel
    "081", "082", "083", "084", "085", "088", "091", "094",  # VinaPhone
    "070", "076", "077", "078", "079", "093",  # MobiFone, without 090, where the stand-in's special numbers are
    "056", "058", "092", "059", "087",  # Vietnamobile, Gmobile, Itel
)  # fmt: skip
_REFUSED: Final = ("0900000118", "0900000119", "0900000114", "0900000139")
"""Numbers that the Zalo stand-in refuses: no Zalo account (-118), cannot receive (-119, -114), not willing (-139)."""
_SEGMENTS: Final = {"retail": 70, "wholesale": 20, "agency": 10}
_STAFF: Final = ("NV-LAN", "NV-HUNG", "NV-MAI", "NV-DUC")
_PHONELESS: Final = 0.025
_REFUSING: Final = 0.015


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One customer. Without a phone, or with one that Zalo refuses, no message reaches them."""

    external_id: str
    name: str
    phone: str | None
    email: str
    segment: str
    tags: tuple[str, ...]
    owner: str
    ward: str
    province: str

    @property
    def refused(self) -> bool:
        """Whether Zalo refuses every message to this number."""
        return self.phone in _REFUSED

    @property
    def reachable(self) -> bool:
        """Whether a message to this person is accepted."""
        return self.phone is not None and not self.refused

    def snapshot(self) -> dict[str, object]:
        """What a shop's system says about this customer."""
        known: dict[str, object] = {
            "external_id": self.external_id,
            "name": self.name,
            "email": self.email,
            "segment": self.segment,
            "tags": list(self.tags),
            "owner": self.owner,
            "custom": {"ward": self.ward, "province": self.province},
        }
        return known if self.phone is None else {**known, "phone": self.phone}


def people(count: int, chance: random.Random) -> list[Person]:
    """Make ``count`` customers; at least one has no phone and one a refused number, where there are three or more."""
    numbers = _numbers(chance)
    made = []
    for position in range(count):
        draw = chance.random()
        phone: str | None = next(numbers)
        if draw < _PHONELESS or (position == 1 and count > 2):
            phone = None
        elif draw < _PHONELESS + _REFUSING or (position == 2 and count > 2):
            phone = chance.choice(_REFUSED)
        made.append(_person(position + 1, phone, chance))
    return made


def _person(number: int, phone: str | None, chance: random.Random) -> Person:
    middle, given = chance.choice((_WOMEN, _MEN))
    parts = (_weighted(_FAMILY, chance), chance.choice(middle), chance.choice(given))
    province = _weighted({name: weight for name, (weight, _) in _PLACES.items()}, chance)
    return Person(
        external_id=f"KH-{number:05}",
        name=unicodedata.normalize("NFC", " ".join(parts)),
        phone=phone,
        email=f"kh{number:05}@example.com",
        segment=_weighted(_SEGMENTS, chance),
        tags=("VIP",) if chance.random() < 0.12 else (),
        owner=chance.choice(_STAFF),
        ward=chance.choice(_PLACES[province][1]),
        province=province,
    )


def _numbers(chance: random.Random) -> Iterator[str]:
    """Different numbers, in no order that anybody would notice."""
    numbers = [f"{prefix}0000{last:03}" for prefix in _PREFIXES for last in range(1000)]
    chance.shuffle(numbers)
    yield from numbers


def _weighted(choices: dict[str, int], chance: random.Random) -> str:
    return chance.choices(list(choices), list(choices.values()))[0]
