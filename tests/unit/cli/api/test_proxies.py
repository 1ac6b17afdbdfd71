"""Which proxy a server is reached through: kubectl's rule, row by row."""

import pytest

from jitaccess.cli.api.errors import CliError
from jitaccess.cli.api.proxies import Proxy, proxy_for

PROXY = "http://proxy:3128"
ENV = {"HTTPS_PROXY": PROXY}


@pytest.mark.parametrize(
    ("server", "env", "through"),
    [
        pytest.param("https://api.example.com", ENV, PROXY, id="the-proxy-of-its-scheme"),
        pytest.param("http://api.example.com", ENV, "", id="and-of-no-other"),
        pytest.param("https://api.example.com", {"https_proxy": PROXY}, PROXY, id="in-small-letters"),
        pytest.param("https://api.example.com", {"https_proxy": "x:1", **ENV}, PROXY, id="capitals-first"),
        pytest.param("https://api.example.com", {"HTTPS_PROXY": "proxy:3128"}, PROXY, id="without-a-scheme"),
        pytest.param("https://localhost:6443", ENV, "", id="localhost"),
        pytest.param("https://127.0.0.53:6443", ENV, "", id="loopback"),
        pytest.param("https://[::1]:6443", ENV, "", id="loopback-in-six"),
        pytest.param("https://api.example.com", ENV | {"NO_PROXY": "*"}, "", id="nothing-through-it"),
        pytest.param("https://api.example.com", ENV | {"NO_PROXY": "a, example.com"}, "", id="a-domain-and-what-is-below"),
        pytest.param("https://example.com", ENV | {"NO_PROXY": ".example.com"}, PROXY, id="only-what-is-below"),
        pytest.param("https://api.example.com", ENV | {"no_proxy": "*.example.com"}, "", id="only-what-is-below-with-a-star"),
        pytest.param("https://badexample.com", ENV | {"NO_PROXY": "example.com"}, PROXY, id="not-what-merely-ends-so"),
        pytest.param("https://10.1.2.3", ENV | {"NO_PROXY": "10.0.0.0/8"}, "", id="a-network"),
        pytest.param("https://11.1.2.3", ENV | {"NO_PROXY": "10.0.0.0/8"}, PROXY, id="another-network"),
        pytest.param("https://10.1.2.3:6443", ENV | {"NO_PROXY": "10.1.2.3:6443"}, "", id="an-address-with-its-port"),
        pytest.param("https://10.1.2.3:6443", ENV | {"NO_PROXY": "10.1.2.3:443"}, PROXY, id="another-port"),
        pytest.param("https://api.example.com", ENV | {"NO_PROXY": "api.example.com:443"}, "", id="the-port-nobody-wrote"),
        pytest.param("https://api.example.com", ENV | {"NO_PROXY": "-,,::x"}, PROXY, id="what-is-no-rule"),
    ],
)
def test_the_environment_says_which_proxy(server: str, env: dict[str, str], through: str) -> None:
    found = proxy_for(server, "", env)
    assert (found.url if found else "") == through


def test_the_kubeconfig_is_obeyed_before_all_else() -> None:
    found = proxy_for("https://localhost", "socks5://me:p%40ss@[fd00::1]:1080", ENV | {"NO_PROXY": "*"})
    assert found == Proxy("socks5://[fd00::1]:1080", "me:p@ss"), "its password is not part of the address"


@pytest.mark.parametrize("text", ["http://", "ftp://x", "http://me:s3cr3t@", "http://me:s3cr3t@x:port", "://s3cr3t"])
def test_what_is_no_proxy_is_an_error_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(CliError, match="is not the address of a proxy") as raised:
        proxy_for("https://api.example.com", "", {"HTTPS_PROXY": text})
    assert "s3cr3t" not in raised.value.message + raised.value.hint
