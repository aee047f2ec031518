"""The pages on which a customer rates a ticket: HTML without scripts, in Vietnamese or English."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Final

from nhip.domain.ratings import LONGEST_WORDS, RatingRequest

_STYLE: Final = """
:root{color-scheme:light dark;
--ink:#1c1c1e;--soft:#5f6368;--page:#f4f5f7;--card:#fff;--line:#d5d8dd;--act:#0b57d0;--on:#fff}
@media (prefers-color-scheme:dark){
:root{--ink:#f1f1f3;--soft:#b4b8be;--page:#141517;--card:#1f2123;--line:#43474d;--act:#a8c7fa;--on:#0b2a5b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}
main{max-width:32rem;margin:0 auto;padding:1.25rem;background:var(--card);min-height:100vh}
h1{font-size:1.375rem;line-height:1.3;margin:.25rem 0 1rem}
p{margin:0 0 1rem}.shop{color:var(--soft);margin:0}
.wrong{border-left:.25rem solid #c5221f;padding:.5rem .75rem}
fieldset{border:0;margin:0 0 1.25rem;padding:0}legend{padding:0;margin-bottom:.5rem}
label.star{display:flex;align-items:center;gap:.75rem;min-height:3rem;padding:.25rem .75rem;margin-bottom:.5rem;
border:1px solid var(--line);border-radius:.75rem;cursor:pointer}
label.star:focus-within{outline:.1875rem solid var(--act);outline-offset:.125rem}
input[type=radio]{width:1.375rem;height:1.375rem;margin:0;accent-color:var(--act)}
.shown{color:#b26a00;letter-spacing:.05em}
textarea{display:block;width:100%;min-height:6rem;margin:.5rem 0 1.25rem;padding:.75rem;font:inherit;color:inherit;
background:transparent;border:1px solid var(--line);border-radius:.75rem}
button{width:100%;min-height:3rem;border:0;border-radius:.75rem;background:var(--act);color:var(--on);font:inherit;
font-weight:600;cursor:pointer}
a{color:var(--act)}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-robots-tag": "noindex, nofollow",
}
"""For every page: nothing runs, nothing is loaded, the form goes nowhere else, and nobody lists the address."""

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "vi": {
        "title": "Đánh giá hỗ trợ",
        "question": "Bạn có hài lòng với cách chúng tôi giải quyết không?",
        "stars": "Chọn từ 1 đến 5 sao",
        "5": "Rất hài lòng",
        "4": "Hài lòng",
        "3": "Bình thường",
        "2": "Không hài lòng",
        "1": "Rất không hài lòng",
        "words": "Góp ý thêm (không bắt buộc)",
        "send": "Gửi đánh giá",
        "thanks": "Cảm ơn bạn!",
        "noted": "Chúng tôi đã ghi nhận đánh giá của bạn: {rating} trên 5 sao.",
        "change": "Thay đổi đánh giá",
        "choose": "Vui lòng chọn từ 1 đến 5 sao.",
        "too_long": "Góp ý dài nhất {most} ký tự. Vui lòng rút ngắn rồi gửi lại.",
        "unread": "Chúng tôi không đọc được nội dung vừa gửi. Vui lòng chọn số sao rồi gửi lại.",
        "later": "Hiện chưa ghi nhận được đánh giá. Vui lòng gửi lại sau ít phút.",
        "final": "Đánh giá này đã được ghi nhận và không thay đổi được nữa.",
        "gone": "Liên kết này không dùng được",
        "why": "Có thể liên kết đã hết hạn hoặc chưa đầy đủ.",
    },
    "en": {
        "title": "Rate our support",
        "question": "Are you satisfied with how we solved it?",
        "stars": "Choose 1 to 5 stars",
        "5": "Very satisfied",
        "4": "Satisfied",
        "3": "Neither",
        "2": "Dissatisfied",
        "1": "Very dissatisfied",
        "words": "Anything else? (optional)",
        "send": "Send",
        "thanks": "Thank you!",
        "noted": "We have noted your rating: {rating} of 5 stars.",
        "change": "Change it",
        "choose": "Please choose 1 to 5 stars.",
        "too_long": "Your remark may have {most} characters. Please shorten it and send it again.",
        "unread": "We could not read what was sent. Please choose your stars and send them again.",
        "later": "We could not note your rating just now. Please send it again in a few minutes.",
        "final": "This rating is noted and cannot be changed any more.",
        "gone": "This link does not work",
        "why": "It may have expired, or a part of it is missing.",
    },
}


def form(token: str, asked: RatingRequest, *, stars: int | None = None, words: str = "", wrong: str = "") -> str:
    """The page that asks; ``wrong`` is the name of what is wrong with what was sent, which then is in it again."""
    say = _WORDS[asked.language]
    chosen = stars if stars is not None else asked.rating
    rows = "".join(
        f'<label class="star"><input type="radio" name="stars" value="{star}" required'
        f"{' checked' if star == chosen else ''}>"
        f'<span class="shown" aria-hidden="true">{"★" * star}{"☆" * (5 - star)}</span>'
        f"<span>{star} – {say[str(star)]}</span></label>"
        for star in (5, 4, 3, 2, 1)
    )
    # The address is relative: a proxy may serve it below a path.
    return _page(
        asked.language,
        say["title"],
        f"{_shop(asked)}<h1>{say['question']}</h1>{_wrong(say, wrong)}"
        f'<form method="post" action="{escape(token)}" accept-charset="utf-8">'
        f"<fieldset><legend>{say['stars']}</legend>{rows}</fieldset>"
        f'<label for="words">{say["words"]}</label>'
        f'<textarea id="words" name="words" maxlength="{LONGEST_WORDS}">\n{escape(words)}</textarea>'
        f'<button type="submit">{say["send"]}</button></form>',
    )


def thanks(token: str, asked: RatingRequest, rating: int) -> str:
    """The page that thanks."""
    say = _WORDS[asked.language]
    return _page(
        asked.language,
        say["thanks"],
        f"{_shop(asked)}<h1>{say['thanks']}</h1><p>{say['noted'].format(rating=rating)}</p>"
        f'<p><a href="{escape(token)}">{say["change"]}</a></p>',
    )


def gone() -> str:
    """The page where there is nothing to rate, whyever: in both languages, because whose it was is not said."""
    both = [_WORDS[language] for language in ("vi", "en")]
    parts = "".join(
        f'<section lang="{language}"><h1>{say["gone"]}</h1><p>{say["why"]}</p></section>'
        for language, say in zip(("vi", "en"), both, strict=True)
    )
    return _page("vi", both[0]["gone"], parts)


def unavailable() -> str:
    """The page where nothing can be looked up now, in both languages."""
    parts = "".join(f'<p lang="{language}">{_WORDS[language]["later"]}</p>' for language in ("vi", "en"))
    return _page("vi", _WORDS["vi"]["title"], parts)


def _page(language: str, title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _shop(asked: RatingRequest) -> str:
    return f'<p class="shop">{escape(asked.shop)}</p>' if asked.shop else ""


def _wrong(say: Mapping[str, str], wrong: str) -> str:
    return f'<p class="wrong" role="alert">{say[wrong].format(most=LONGEST_WORDS)}</p>' if wrong else ""
