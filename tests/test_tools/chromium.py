"""Drives a headless Chromium by Chrome's DevTools protocol, over pipes; needs the browser alone."""

import json
import os
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import select

FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'),
    *('--disable-background-networking', '--disable-component-update', '--remote-debugging-pipe'),
)


class Page:
    """A page of a browser whose DevTools protocol is read and written at two file descriptors."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing, self._rest, self._count, self._session = reading, writing, b'', 0, {}
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = dict(sessionId=self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId'])

    def call(self, method: str, timeout: float = 120, **parameters: object) -> dict:
        """Calls a method of the protocol and returns its result."""
        self._count += 1
        message = dict(id=self._count, method=method, params=parameters, **self._session)
        os.write(self._writing, json.dumps(message).encode() + b'\0')
        end = time.monotonic() + timeout
        while (answer := self._read(end)).get('id') != self._count:
            pass
        if 'error' in answer:
            raise RuntimeError(f'{method}: {answer["error"]}')
        return answer['result']

    def _read(self, end: float) -> dict:
        while b'\0' not in self._rest:
            if not select([self._reading], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError('The browser did not answer in time.')
            self._rest += os.read(self._reading, 1 << 20)
        message, _, self._rest = self._rest.partition(b'\0')
        return json.loads(message)

    def open(self, address: str) -> None:
        """Goes to an address; what it loads may be on its way still."""
        self.call('Page.navigate', url=address)

    def run(self, expression: str) -> object:
        """The value of an expression, or of what it promises, in the page."""
        found = self.call('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in found:
            raise RuntimeError(f'{expression}: {found["exceptionDetails"]}')
        return found['result'].get('value')

    def wait(self, expression: str, timeout: float = 60) -> object:
        """Waits until an expression is true, and returns its value; a TimeoutError says what the page's status is."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if value := self.run(f'(() => {{ try {{ return {expression} }} catch {{ return null }} }})()'):
                return value
            time.sleep(0.05)
        raise TimeoutError(f'{expression}; the page says: {self.run("document.body.innerText")[:500]}')

    def screenshot(self, whole: bool = False) -> bytes:
        """The page as PNG: what is seen, or all of it."""
        return b64decode(self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole)['data'])


@contextmanager
def chromium(executable: str, profile: str, *flags: str) -> Iterator[Callable[[], Page]]:
    """Starts a browser with a new profile, and ends it; gives what opens a page."""
    (from_browser, browser_writes), (browser_reads, to_browser) = os.pipe(), os.pipe()
    command = f'exec "$0" "$@" 3<&{browser_reads} 4>&{browser_writes}'  # the two places that the browser knows
    process = subprocess.Popen(
        ['bash', '-c', command, executable, *FLAGS, f'--user-data-dir={profile}', *flags],
        pass_fds=(browser_reads, browser_writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(browser_reads)
    os.close(browser_writes)
    try:
        yield lambda: Page(from_browser, to_browser)
    finally:
        process.terminate()  # so that it ends its own processes
        process.wait(30)
