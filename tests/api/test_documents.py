"""The contract and its pages, served by the gateway itself."""

import re

import httpx

from tests.support.live import gateway


async def test_the_contract_and_its_pages_are_served_from_here_alone() -> None:
    async with gateway(None, backend="demo") as base, httpx.AsyncClient(base_url=base, timeout=20) as client:
        contract = await client.get("/openapi.json")
        older = await client.get("/openapi-3.1.json")
        assert (contract.json()["openapi"], older.json()["openapi"]) == ("3.2.0", "3.1.0")
        for path in ("/docs", "/redoc"):
            page = await client.get(path)
            assert "<title>wireloom" in page.text
            assert page.headers["content-type"].startswith("text/html")
            links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            assert links
            for link in links:
                assert link.startswith(("/", "data:"))
                if link.startswith("/"):
                    asset = await client.get(link)
                    assert (asset.status_code, asset.headers["cache-control"]) == (200, "max-age=86400")
