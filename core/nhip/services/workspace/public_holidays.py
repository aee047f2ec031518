"""The public holidays of countries, as the library ``holidays`` knows them: a proposal for a workspace's calendar."""

import re
from typing import Final

from nhip.domain.calendars import Holiday
from nhip.domain.errors import NotFound

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def public_holidays(country: str, year: int) -> tuple[Holiday, ...]:
    """The public holidays of a country in a year with its days in lieu, in the country's language where it is known.

    What a government decides year by year (in Vietnam the days around Tết and 2 September, and days in lieu) is in it
    as far as it was known when the library was released. Slow the first time: the library is loaded only here.

    Args:
        country: ISO 3166 in two letters: ``VN``.
        year: from :data:`FIRST_YEAR` to :data:`LAST_YEAR`.

    Raises:
        NotFound: the library does not know the country.
    """
    # It takes 0.4 seconds and 20 MB, and most processes never ask.
    from holidays import country_holidays

    try:
        # The library looks a name up among all that it has; only countries have two capitals.
        if not _COUNTRY.fullmatch(country):
            raise NotFound("country", country)
        language = country_holidays(country).default_language
        found = country_holidays(country, years=year, expand=False, language=language)
    except NotImplementedError:
        raise NotFound("country", country) from None
    return tuple(Holiday(date=day, title=title[:200]) for day, title in sorted(found.items()))
