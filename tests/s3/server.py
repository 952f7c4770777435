"""A real S3 server: moto, behind an HTTP server that keeps connections.

usage: server.py PORT
"""
import sys

from cheroot.wsgi import Server
from moto.server import DomainDispatcherApplication, create_backend_app

# On every address, of IPv4 as of IPv6.
server = Server(('::', int(sys.argv[1])), DomainDispatcherApplication(create_backend_app))
try:
    server.safe_start()
finally:
    server.stop()
