"""Which spellings of a URL and which addresses are refused."""

import pytest
from hypothesis import given, strategies as st

from nhip import NotSentError
from nhip.adapters.addresses import check_url, is_ip_literal, is_public

REFUSED = [
    # addresses in every spelling
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.0x0.0.1/",
    "https://127.0.0.1./",
    "https://00000127.0.0.1/",
    "https://127.0.0.01/",
    "https://1.1.1.1/",
    "https://8.8.8.8:443/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.43518/",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[2606:4700:4700::1111]/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://１２７.0.0.1/",
    "https://example.com.0x1/",
    # user names, ports, schemes
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://:@example.com/",
    "https://@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1?@example.com/",
    "https://example.com:22/",
    "https://example.com:8443/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:443x/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "unix:///var/run/docker.sock",
    "data:text/plain,hello",
    "//example.com/",
    "/hook",
    "example.com",
    "https:///",
    "https://",
    "https:example.com",
    "",
    # what two parsers might read in two ways
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://example.com\t/",
    " https://example.com/",
    "https://example.com/\x00",
    "https://exa\u00admple\u0000.com/",
    "https://example..com/",
    "https://.example.com/",
    "https://exam!ple.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com/" + "a" * 9_000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_may_lead_inside_is_refused(url: str) -> None:
    with pytest.raises(NotSentError) as refused:
        check_url(url)
    assert refused.value.data["code"] in ("invalid_url", "refused_url")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com:443/hook?x=1#y",
        "HTTPS://EXAMPLE.COM/",
        "https://example.com./",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.com/",
        "https://127.0.0.1.example.com/",
        "https://2130706433.example.com/",
        "https://0x7f.example/",
    ],
)
def test_a_url_with_a_public_name_passes(url: str) -> None:
    assert check_url(url).scheme == "https"


def test_a_port_can_be_allowed() -> None:
    assert check_url("https://example.com:8443/", ports=frozenset({443, 8443})).port == 8443


def test_private_hosts_pass_where_the_process_allows_them() -> None:
    assert str(check_url("http://127.0.0.1:8025/x", allow_private=True)) == "http://127.0.0.1:8025/x"
    with pytest.raises(NotSentError):
        check_url("http://user:secret@127.0.0.1/", allow_private=True)
    with pytest.raises(NotSentError):
        check_url("file:///etc/passwd", allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),
        *("100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:808:808::1", "3fff::1"),
        *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "not an address", ""),
    ],
)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_as_what_it_is(address: object) -> None:
    assert is_public(f"::ffff:{address}") is is_public(str(address)) is is_public(f"64:ff9b::{address}")


@given(st.ip_addresses())
def test_every_address_is_known_for_a_literal(address: object) -> None:
    assert is_ip_literal(str(address))
