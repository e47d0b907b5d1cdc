"""``python -m cashier --port N --dir D``: serves one cashier on this machine until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from cashier import create_app
from cashier.config import Config, ConfigError


class QuietHandler(WSGIRequestHandler):
    """No line per request: addresses carry signatures, and every call is in the database anyway."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    """Prints ``cashier ready on http://127.0.0.1:<port>`` once it listens; port 0 takes a free one."""
    parser = argparse.ArgumentParser(prog="python -m cashier", description="A local Alipay for tests and demos.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument("--dir", help="data directory (CASHIER_DIR)")
    options = parser.parse_args()
    environ = dict(os.environ) | ({"CASHIER_DIR": options.dir} if options.dir else {})
    try:
        listener = socket.create_server((options.host, options.port), backlog=128)
    except OSError as error:
        sys.exit(f"cashier: port {options.port} cannot be used: {error.strerror}")
    port = listener.getsockname()[1]
    try:
        # "localhost" instead of the address: the pages are another origin than the gateway, as at Alipay.
        app = create_app(Config.from_env(environ, page_origin=f"http://localhost:{port}"))
    except ConfigError as error:
        sys.exit(f"cashier: {error}")
    server = make_server(options.host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.detach())
    signal.signal(signal.SIGTERM, _interrupt)
    print(f"cashier ready on http://{options.host}:{port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        app.extensions["cashier"].sender.stop()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
