"""No test reaches the network: connections other than to this machine are errors (--allow-hosts in pyproject.toml)."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_the_guard_is_on():
    with (
        pytest.warns(UserWarning, match="192.0.2.1"),
        pytest.raises(SocketConnectBlockedError),
        socket.socket() as client,
    ):
        client.connect(("192.0.2.1", 80))  # an address for documentation, nobody's
