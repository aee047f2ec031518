#!/usr/bin/env python3
"""As much of curl as the README uses, for machines without one: -sS --fail-with-body -H -X -d URL."""

import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit


def main(arguments: list[str]) -> int:
    method, url, body = "", "", None
    headers: dict[str, str] = {}
    fails = False
    words = iter(arguments)
    for word in words:
        match word:
            case "-sS":
                pass
            case "--fail-with-body":
                fails = True
            case "-H":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            case "-X":
                method = next(words)
            case "-d":
                body = next(words).encode()
            case _ if word.startswith("-") or url:
                sys.stderr.write(f"curl.py does not understand {word}\n")
                return 2
            case _:
                url = word
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method or ("POST" if body is not None else "GET"), target, body, headers)
        answer = connection.getresponse()
        sys.stdout.buffer.write(answer.read())
    except OSError as error:
        sys.stderr.write(f"curl: (7) {error}\n")
        return 7
    finally:
        connection.close()
    return 22 if fails and answer.status >= 400 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
